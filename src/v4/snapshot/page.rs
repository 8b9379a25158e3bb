//! The catalogue in memory at one time, and who sees what of it.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pieces::Pieces;
use super::ready::Ready;
use crate::archive::WidgetCode;
use crate::auth::Caller;
use crate::catalogue::WidgetId;
use crate::installs::{Placed, Placements};

/// Widgets in the orders in which they are looked for. A copy shares everything but what is changed.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    by_id: Pieces<WidgetId, Arc<Ready>>,
    /// Those that everybody sees.
    public: Pieces<WidgetId, Arc<Ready>>,
    by_owner: Pieces<(i64, i64, WidgetId), Arc<Ready>>,
    by_code: Pieces<(u64, WidgetId), Arc<Ready>>,
    /// Another one for every other content.
    number: u64,
}

/// The number of the next content of any snapshot. The first is 1, for one that has none.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next_number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A widget that a caller sees, and the account's install of it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The widget.
    pub widget: &'a Ready,
    /// Its install.
    pub install: Option<Placed>,
}

fn hash(code: &WidgetCode) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(code)
}

fn owner_key(widget: &Ready) -> (i64, i64, WidgetId) {
    (widget.owner.account.get(), widget.owner.user.get(), widget.id)
}

impl Snapshot {
    /// Of widgets in any order.
    #[must_use]
    pub fn of(widgets: &[Arc<Ready>]) -> Self {
        fn pieces<K: Ord + Copy>(widgets: &[Arc<Ready>], key: impl Fn(&Ready) -> Option<K>) -> Pieces<K, Arc<Ready>> {
            Pieces::of(widgets.iter().filter_map(|widget| Some((key(widget)?, widget.clone()))).collect())
        }
        Self {
            by_id: pieces(widgets, |widget| Some(widget.id)),
            public: pieces(widgets, |widget| widget.is_public.then_some(widget.id)),
            by_owner: pieces(widgets, |widget| Some(owner_key(widget))),
            by_code: pieces(widgets, |widget| Some((hash(&widget.code), widget.id))),
            number: next_number(),
        }
    }

    /// Which content this is: another one has another number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many widgets there are.
    #[must_use]
    pub fn widgets(&self) -> usize {
        self.by_id.len()
    }

    /// Puts a widget in the place of the one of its number.
    pub fn put(&mut self, widget: Arc<Ready>) {
        self.remove(widget.id);
        self.by_id.put(widget.id, widget.clone());
        if widget.is_public {
            self.public.put(widget.id, widget.clone());
        }
        self.by_owner.put(owner_key(&widget), widget.clone());
        self.by_code.put((hash(&widget.code), widget.id), widget);
        self.number = next_number();
    }

    /// Takes a widget out.
    pub fn remove(&mut self, id: WidgetId) {
        let Some(widget) = self.by_id.get(id).cloned() else { return };
        self.by_id.remove(id);
        self.public.remove(id);
        self.by_owner.remove(owner_key(&widget));
        self.by_code.remove((hash(&widget.code), id));
        self.number = next_number();
    }

    /// The widget of a code, whoever sees it.
    #[must_use]
    pub fn of_code(&self, code: &WidgetCode) -> Option<&Arc<Ready>> {
        let hash = hash(code);
        let from = self.by_code.from(self.by_code.place((hash, WidgetId(i64::MIN))));
        let mut same = from.take_while(|((known, _), _)| *known == hash);
        same.find(|(_, widget)| widget.code == *code).map(|(_, widget)| widget)
    }

    /// A page of the widgets that a caller sees, ascending by number: public ones, those installed in the account, and the caller's own.
    /// `skipped` come before it, and it has `count` at most. Costs the same for every page.
    #[must_use]
    pub fn page(&self, caller: &Caller, installs: &Placements, skipped: usize, count: usize) -> Vec<Seen<'_>> {
        let hidden = self.hidden_but_seen(caller, installs);
        // Where a hidden widget stands among all that are seen: after the public ones before it, and the hidden ones before it.
        let place = |(before, widget): (usize, &&Ready)| before + self.public.place(widget.id);
        let hidden_before = {
            let places: Vec<usize> = hidden.iter().enumerate().map(place).collect();
            places.partition_point(|place| *place < skipped)
        };
        let mut public = self.public.from(skipped - hidden_before).map(|(_, widget)| widget.as_ref()).peekable();
        let mut hidden = hidden.into_iter().skip(hidden_before).peekable();
        let merged = std::iter::from_fn(|| match (public.peek(), hidden.peek()) {
            (Some(seen), Some(other)) if other.id < seen.id => hidden.next(),
            (Some(_), _) => public.next(),
            (None, _) => hidden.next(),
        });
        merged.take(count).map(|widget| Seen { widget, install: installs.of_widget(widget.id) }).collect()
    }

    /// The widgets that are not public, but the caller's own or installed in the account; ascending.
    fn hidden_but_seen(&self, caller: &Caller, installs: &Placements) -> Vec<&Ready> {
        let (account, user) = (caller.account.get(), caller.user.get());
        let own = self.by_owner.from(self.by_owner.place((account, user, WidgetId(i64::MIN))));
        let own = own.take_while(|((of_account, of_user, _), _)| (*of_account, *of_user) == (account, user));
        let own = own.map(|(_, widget)| widget.as_ref());
        let of_id = |id| self.by_id.get(id).map(Arc::as_ref).filter(|widget| !widget.is_public);
        // An account may have hundreds of widgets installed, and nearly all of them are public.
        let installed = installs.chosen(self.number, || installs.widgets().filter(|id| of_id(*id).is_some()).collect());
        let installed = installed.iter().filter_map(|id| of_id(*id));
        let mut hidden: Vec<&Ready> = own.filter(|widget| !widget.is_public).chain(installed).collect();
        hidden.sort_unstable_by_key(|widget| widget.id);
        hidden.dedup_by_key(|widget| widget.id);
        hidden
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::archive::LocalizedText;
    use crate::auth::{AccountId, Role, Scopes, UserId};
    use crate::catalogue::{Field, Owner, Rating, Template, Visibility, Widget};
    use crate::v4::snapshot::store::Listed;

    fn owner(account: i64, user: i64) -> Owner {
        Owner { account: AccountId::new(account).unwrap(), user: UserId::new(user).unwrap() }
    }

    fn ready(id: i64, (account, user): (i64, i64), visibility: Visibility) -> Ready {
        let name = LocalizedText::literal("Name");
        let field = Field { key: "k".to_owned(), name, kind: crate::archive::SettingType::Text, is_required: true };
        let widget = Widget {
            id: WidgetId(id),
            code: format!("w{id}").parse().unwrap(),
            version: "1.0".parse().unwrap(),
            rating: Rating::from_tenths(0).unwrap(),
            template: Template { fields: vec![field] },
            is_lead_source: false,
            is_work_with_dp: false,
            is_crm_template: false,
            client_uuid: None,
        };
        Ready::of(Listed { widget, owner: owner(account, user), visibility }, "en").unwrap()
    }

    fn visibility() -> impl Strategy<Value = Visibility> {
        prop_oneof![Just(Visibility::Public), Just(Visibility::Private)]
    }

    type Kind = ((i64, i64), Visibility);

    fn kind() -> impl Strategy<Value = Kind> {
        ((1..3_i64, 1..3_i64), visibility())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pages_are_cut_from_what_is_seen(
            begin in proptest::collection::btree_map(1..80_i64, kind(), 0..60),
            steps in proptest::collection::vec((1..80_i64, proptest::option::of(kind())), 0..40),
            // Installs also of widgets that are gone.
            installs in proptest::collection::btree_map(1..90_i64, proptest::option::of(1..5_i64), 0..30),
            limit in 1..12_usize,
        ) {
            let ready_of = |(id, (owner, visibility)): (&i64, &Kind)| Arc::new(ready(*id, *owner, *visibility));
            let before = Snapshot::of(&begin.iter().map(ready_of).collect::<Vec<_>>());
            let (mut snapshot, mut model) = (before.clone(), begin.clone());
            for (id, step) in steps {
                if let Some((owner, visibility)) = step {
                    snapshot.put(Arc::new(ready(id, owner, visibility)));
                    model.insert(id, (owner, visibility));
                } else {
                    snapshot.remove(WidgetId(id));
                    model.remove(&id);
                }
            }
            let placed = |(id, pipeline): (&i64, &Option<i64>)| (WidgetId(*id), Placed { pipeline_id: *pipeline });
            let placements = Placements::of(installs.iter().rev().map(placed).collect());
            let caller = Caller {
                account: AccountId::new(1).unwrap(),
                user: UserId::new(1).unwrap(),
                role: Role::User,
                client: None,
                scopes: Scopes::default(),
            };
            for (snapshot, model) in [(&snapshot, &model), (&before, &begin)] {
                check(snapshot, model, &caller, &installs, &placements, limit);
            }
        }
    }

    fn check(
        snapshot: &Snapshot,
        model: &BTreeMap<i64, Kind>,
        caller: &Caller,
        installs: &BTreeMap<i64, Option<i64>>,
        placements: &Placements,
        limit: usize,
    ) {
        assert_eq!(snapshot.widgets(), model.len());
        let seen = |(id, (owner, visibility)): &(&i64, &Kind)| {
            *visibility == Visibility::Public || *owner == (1, 1) || installs.contains_key(id)
        };
        let install = |id: &i64| installs.get(id).map(|pipeline| Placed { pipeline_id: *pipeline });
        let all: Vec<_> = model.iter().filter(seen).map(|(id, _)| (*id, install(id))).collect();
        for skipped in 0..all.len() + 3 {
            let page = snapshot.page(caller, placements, skipped, limit);
            let page: Vec<_> = page.into_iter().map(|seen| (seen.widget.id.0, seen.install)).collect();
            assert_eq!(page, all.iter().skip(skipped).take(limit).copied().collect::<Vec<_>>(), "{skipped}");
        }
        for id in 1..90 {
            let found = snapshot.of_code(&format!("w{id}").parse().unwrap()).map(|widget| widget.id.0);
            assert_eq!(found, model.contains_key(&id).then_some(id));
        }
    }
}

//! Where an account's widgets are installed: what a list shows of installs, without their settings.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::catalogue::WidgetId;

/// What v4 shows of an install besides its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Placed {
    /// The pipeline in which the widget is a lead source.
    pub pipeline_id: Option<i64>,
}

/// Every install of one account.
#[derive(Debug)]
pub struct Placements {
    installs: Vec<(WidgetId, Placed)>,
    content: u128,
    chosen: Mutex<Option<Chosen>>,
}

/// Two keys that nobody knows make 128 bits, of which no two contents share all.
static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);

fn content_of(installs: &[(WidgetId, Placed)]) -> u128 {
    KEYS.iter().fold(0, |content, key| content << 64 | u128::from(key.hash_one(installs)))
}

/// Some of the installed widgets, and the number under which they are known.
type Chosen = (u64, Arc<[WidgetId]>);

impl Placements {
    /// Of installs in any order.
    #[must_use]
    pub fn of(mut installs: Vec<(WidgetId, Placed)>) -> Self {
        installs.sort_unstable_by_key(|(widget, _)| *widget);
        let content = content_of(&installs);
        Self { installs, content, chosen: Mutex::default() }
    }

    /// Tells them from any others: the same content has the same number for as long as the process lives.
    #[must_use]
    pub fn content(&self) -> u128 {
        self.content
    }

    /// The install of a widget.
    #[must_use]
    pub fn of_widget(&self, widget: WidgetId) -> Option<Placed> {
        let place = self.installs.binary_search_by_key(&widget, |(installed, _)| *installed).ok()?;
        self.installs.get(place).map(|(_, placed)| *placed)
    }

    /// The installed widgets, ascending.
    pub fn widgets(&self) -> impl ExactSizeIterator<Item = WidgetId> {
        self.installs.iter().map(|(widget, _)| *widget)
    }

    /// The same but for one widget.
    #[must_use]
    pub fn with(&self, widget: WidgetId, placed: Option<Placed>) -> Self {
        let others = self.installs.iter().filter(|(other, _)| *other != widget).copied();
        Self::of(others.chain(placed.map(|placed| (widget, placed))).collect())
    }

    /// What `choose` picks of the installed widgets, kept under a number: asked for again with the same number, it is not picked again.
    pub fn chosen(&self, number: u64, choose: impl FnOnce() -> Vec<WidgetId>) -> Arc<[WidgetId]> {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        match chosen.as_ref() {
            Some((known, widgets)) if *known == number => widgets.clone(),
            _ => {
                let widgets: Arc<[WidgetId]> = choose().into();
                *chosen = Some((number, widgets.clone()));
                widgets
            }
        }
    }
}

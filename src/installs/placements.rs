//! Where an account's widgets are installed: what a list shows of installs, without their settings.

use crate::catalogue::WidgetId;

/// What v4 shows of an install besides its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The pipeline in which the widget is a lead source.
    pub pipeline_id: Option<i64>,
}

/// Every install of one account.
#[derive(Debug, Clone, Default)]
pub struct Placements(Vec<(WidgetId, Placed)>);

impl Placements {
    /// Of installs in any order.
    #[must_use]
    pub fn of(mut installs: Vec<(WidgetId, Placed)>) -> Self {
        installs.sort_unstable_by_key(|(widget, _)| *widget);
        Self(installs)
    }

    /// The install of a widget.
    #[must_use]
    pub fn of_widget(&self, widget: WidgetId) -> Option<Placed> {
        let place = self.0.binary_search_by_key(&widget, |(installed, _)| *installed).ok()?;
        self.0.get(place).map(|(_, placed)| *placed)
    }

    /// The installed widgets, ascending.
    pub fn widgets(&self) -> impl Iterator<Item = WidgetId> {
        self.0.iter().map(|(widget, _)| *widget)
    }
}

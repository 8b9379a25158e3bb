//! The catalogue: which widgets exist, in which version, whose they are, and what their settings look like.

pub mod api;
pub mod changes;
pub mod deletion;
pub mod deprecation;
pub mod listing;
pub mod ownership;
pub mod publish;
pub mod search;
pub mod store;
pub mod template;
pub mod versions;
pub mod visibility;
pub mod widget;

pub use template::{Field, Rule, Template};
pub use widget::{Owner, Rating, Visibility, Widget, WidgetId};

//! Installs: a widget in an account, its settings and what they must look like.

pub mod api;
pub mod counts;
pub mod fit;
mod placements;
mod plan;
mod remembered;
pub mod reseal;
pub mod sealed;
pub mod settings;
pub mod store;

pub use placements::{Placed, Placements};
pub use remembered::{Change, Remembered};
pub use sealed::Stored;
pub use settings::Settings;
pub use store::{Install, Sighting};

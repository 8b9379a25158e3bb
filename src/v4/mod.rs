//! The five methods of the amoCRM/Kommo API v4 section "Widgets", a file each. A newcomer starts here.

pub mod answers;
pub mod continue_bot;
pub mod install;
pub mod kept;
pub mod list;
pub mod model;
pub mod recent;
pub mod show;
pub mod snapshot;
pub mod uninstall;

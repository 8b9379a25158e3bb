//! Who may read `/metrics`.

use super::reader::Reader;
use super::setting;

/// Who may read `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsReaders {
    /// Nobody.
    Nobody,
    /// Programs on this machine.
    ThisMachine,
    /// Everybody who reaches the service.
    Everybody,
}

impl MetricsReaders {
    pub(super) fn read(r: &mut Reader) -> Option<Self> {
        r.value(
            setting(
                "metrics",
                "loopback",
                "Who may read /metrics: off, loopback (this machine, but not through a proxy that names itself), or open.",
            ),
            |text| match text {
                "off" => Ok(Self::Nobody),
                "loopback" => Ok(Self::ThisMachine),
                "open" => Ok(Self::Everybody),
                _ => Err("is neither off, loopback nor open".to_owned()),
            },
        )
    }
}

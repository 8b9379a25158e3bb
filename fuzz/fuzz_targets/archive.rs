//! The whole reader: any bytes are an archive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use widget_registry_fuzz::inspect;

fuzz_target!(|data: &[u8]| {
    let _ = inspect(data);
});

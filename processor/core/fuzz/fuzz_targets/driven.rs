//! A store driven by bytes.
#![no_main]

#[path = "../../spans/tests/drive/mod.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    drive::drive(data);
});

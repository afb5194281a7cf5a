#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telecine_fuzz_targets::run("api", data));

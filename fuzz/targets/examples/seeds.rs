//! Writes the seeds of every target: `seeds FOLDER`, each into the folder of its target.

#![allow(clippy::unwrap_used, reason = "a tool for developers")]

fn main() {
    let folder = std::env::args_os().nth(1).expect("usage: seeds FOLDER");
    for target in telecine_fuzz_targets::TARGETS {
        let folder = std::path::Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        for seed in telecine_fuzz_targets::seeds(target.name) {
            std::fs::write(folder.join(seed.name), seed.bytes).unwrap();
        }
    }
}

//! The index of a folder of vectors: lines of columns with a tab between.

use std::fs;
use std::path::PathBuf;

use twox_hash::XxHash3_64;

/// A folder of vectors.
pub(crate) struct Index {
    folder: PathBuf,
    lines: Vec<Vec<String>>,
}

impl Index {
    /// Reads `conformance/vectors/KIND/index.txt`; each line has this many columns. The first is a file, the second the
    /// checksum of its bytes.
    pub(crate) fn read(kind: &str, columns: usize) -> Self {
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "vectors", kind].iter().collect();
        let text = fs::read_to_string(folder.join("index.txt")).unwrap_or_default();
        let lines: Vec<Vec<String>> =
            text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        assert!(
            lines.iter().all(|line| line.len() == columns),
            "{} has columns of its own",
            folder.display()
        );
        Self { folder, lines }
    }

    /// The lines.
    pub(crate) fn lines(&self) -> &[Vec<String>] {
        &self.lines
    }

    /// Whether there is a line for this file.
    pub(crate) fn lists(&self, file: &str) -> bool {
        self.lines.iter().any(|line| line[0] == file)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// The bytes of a file, which must be those that were added.
    pub(crate) fn bytes(&self, line: &[String]) -> Vec<u8> {
        let bytes = fs::read(self.path(&line[0])).unwrap_or_else(|error| panic!("{}: {error}", line[0]));
        assert_eq!(hash(&bytes), line[1], "{} is not the file that was added", line[0]);
        bytes
    }

    /// Adds lines for a new file, once it is written.
    pub(crate) fn add(&mut self, lines: Vec<Vec<String>>) {
        self.lines.extend(lines);
        let text: String = self.lines.iter().map(|line| line.join("\t") + "\n").collect();
        fs::write(self.folder.join("index.txt"), text).unwrap();
    }

    /// Checks that the folder has the files of the index and no others.
    pub(crate) fn check_files(&self) {
        let mut found = 0;
        for entry in fs::read_dir(&self.folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name == "index.txt" || self.lists(&name), "{name} is in no line of the index");
            found += usize::from(name != "index.txt");
        }
        let mut files: Vec<&String> = self.lines.iter().map(|line| &line[0]).collect();
        files.dedup();
        assert_eq!(found, files.len(), "files of the index");
    }
}

/// XXH3-64 in hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(bytes))
}

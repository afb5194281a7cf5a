//! Arrow users who know nothing of us: pyarrow, polars and duckdb open the golden file and answer questions.

use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "needs Python with pyarrow, polars, duckdb and xxhash; TELECINE_PYTHON names it"]
fn pyarrow_polars_and_duckdb_answer_questions_about_a_file() {
    let python = std::env::var("TELECINE_PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let output = Command::new(python)
        .arg(folder.join("other_readers.py"))
        .arg(folder.join("golden/v1.0-file.arrow"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

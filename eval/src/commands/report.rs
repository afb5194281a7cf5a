//! The tables on one page.

use crate::args::ReportArgs;
use crate::files::write_whole;
use crate::page::{html, markdown};
use crate::rows::Document;
use crate::{Error, Result};

pub(super) fn run(args: &ReportArgs) -> Result<()> {
    let documents = args.tables.iter().map(|path| Document::read(path)).collect::<Result<Vec<_>>>()?;
    let scored =
        |document: &Document| document.rows.first().map(|row| (row.quality.tokens, row.quality.reference));
    let Some((tokens, reference)) = documents.iter().find_map(scored) else {
        return Err(Error::input("the tables have no rows"));
    };
    if documents.iter().filter_map(scored).any(|other| other != (tokens, reference)) {
        return Err(Error::input("the tables were measured on other tokens or another reference"));
    }
    let model = format!(
        "SmolLM2-135M-Instruct, rotated, on {tokens} tokens of WikiText-2's test text; reference perplexity {reference:.3}"
    );
    if let Some(path) = &args.output {
        write_whole(path, &html(&documents, &model))?;
    }
    for document in &documents {
        println!("{}\n\n{}", document.table, markdown(document));
    }
    Ok(())
}

//! The reference model alone.

use std::time::Instant;

use crate::Result;
use crate::args::Common;
use crate::setup::{Setup, seconds};

pub(super) fn run(common: &Common) -> Result<()> {
    let mut setup = Setup::open(&common.cache, &common.windows()?)?;
    let start = Instant::now();
    let model = setup.model.clone();
    let quality = setup.quality(&model)?;
    println!(
        "{} tokens, perplexity {:.4}, divergence from itself {:.1e}, {:.1} s",
        quality.tokens,
        quality.perplexity,
        quality.divergence,
        seconds(start)
    );
    Ok(())
}

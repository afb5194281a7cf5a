//! The tokenizer that a GGUF file describes.

use candle_core::quantized::gguf_file::{Content, Value};
use tokenizers::Tokenizer;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

use crate::{Error, Result};

/// How many tokens the test text of WikiText-2 has; another number means another tokenizer.
pub const TEST_TEXT_TOKENS: usize = 301_948;

/// The byte-level BPE tokenizer of a GGUF file that names its splitting `smollm`: digits stand alone.
///
/// # Errors
/// [`Error::Input`] for another kind of tokenizer, and for tokens or merges that are missing or do not fit.
pub fn tokenizer(content: &Content) -> Result<Tokenizer> {
    let kind = |key: &str| {
        let value = content.metadata.get(key).and_then(|value| value.to_string().ok());
        value.cloned().unwrap_or_else(|| "absent".into())
    };
    let (model, split) = (kind("tokenizer.ggml.model"), kind("tokenizer.ggml.pre"));
    if (model.as_str(), split.as_str()) != ("gpt2", "smollm") {
        return Err(Error::input(format!(
            "the tokenizer is {model:?} with splitting {split:?}; only \"gpt2\" with \"smollm\" is known here"
        )));
    }
    let about = |error: tokenizers::Error| Error::input(format!("the tokenizer: {error}"));
    let words = strings(content, "tokenizer.ggml.tokens")?;
    let vocabulary: Vocab = (0u32..).zip(words).map(|(id, word)| (word.to_owned(), id)).collect();
    let merges = strings(content, "tokenizer.ggml.merges")?.into_iter().map(|merge| {
        let pair = merge.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned()));
        pair.ok_or_else(|| Error::input(format!("the tokenizer's merge {merge:?} is no pair")))
    });
    let merges = merges.collect::<Result<Vec<_>>>()?;
    let bpe = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(about)?;
    let mut tokenizer = Tokenizer::new(bpe);
    let bytes = ByteLevel::new(false, true, true);
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![Digits::new(true).into(), bytes.into()])));
    tokenizer.with_decoder(Some(bytes));
    Ok(tokenizer)
}

fn strings<'a>(content: &'a Content, key: &str) -> Result<Vec<&'a str>> {
    let wrong = || Error::input(format!("{key} is not a list of strings"));
    let values = content.metadata.get(key).and_then(|value| value.to_vec().ok()).ok_or_else(wrong)?;
    values
        .iter()
        .map(|value| match value {
            Value::String(text) => Ok(text.as_str()),
            _ => Err(wrong()),
        })
        .collect()
}

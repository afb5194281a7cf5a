//! A KV cache that keeps old tokens compressed.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use telecine::{Codec, Encoded, Encoding, TensorBuf};

use super::{from_candle, to_candle};
use crate::model::Cache;
use crate::{Error, Result};

/// Tokens at the start that are never compressed: attention gathers on them whatever they are (StreamingLLM,
/// arXiv 2309.17453).
pub const FIRST: usize = 4;
/// Tokens at the end that are never compressed.
pub const LAST: usize = 128;
/// Tokens that are compressed together, unless told otherwise.
pub const BLOCK: usize = 128;

/// Which half of a layer's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Half {
    /// The keys.
    Keys,
    /// The values.
    Values,
}

/// A block of tokens as it is kept.
#[derive(Debug, Clone)]
pub enum Form {
    /// Compressed, and decoded whenever the model looks.
    Encoded(Encoded),
    /// What a quantiser under comparison made of it.
    Values(TensorBuf),
}

/// A block of tokens, and the bits that keeping it takes.
#[derive(Debug, Clone)]
pub struct Block {
    /// What is kept.
    pub form: Form,
    /// Its size, side information included.
    pub bits: u64,
}

/// Compresses blocks of tokens, `[tokens, channels]`, the heads side by side.
pub trait BlockCoder {
    /// Codes one block.
    ///
    /// # Errors
    /// What the codec refuses.
    fn code(&self, layer: usize, half: Half, block: &TensorBuf) -> Result<Block>;

    /// Whether it wants keys before the rotary embedding.
    fn takes_keys_before_rope(&self) -> bool {
        false
    }

    /// Bits that are kept once for all tokens of all layers, such as bases.
    fn bits_once(&self) -> u64 {
        0
    }
}

/// Codes blocks with Telecine, each layer's keys and values in their own way.
pub struct Telecine {
    /// The codec.
    pub codec: Arc<Codec>,
    /// By layer: how keys and values are coded.
    pub encodings: Vec<[Encoding; 2]>,
    /// Whether keys are taken before the rotary embedding.
    pub keys_before_rope: bool,
    /// Bits of the bases that the encodings share, stored once.
    pub bits_once: u64,
}

impl BlockCoder for Telecine {
    fn code(&self, layer: usize, half: Half, block: &TensorBuf) -> Result<Block> {
        let encoding = &self.encodings[layer][half as usize];
        let encoded = self.codec.encode(&block.view()?, encoding)?;
        Ok(Block { bits: 8 * encoded.report.bytes, form: Form::Encoded(encoded) })
    }

    fn takes_keys_before_rope(&self) -> bool {
        self.keys_before_rope
    }

    fn bits_once(&self) -> u64 {
        self.bits_once
    }
}

/// What a cache keeps, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CacheBytes {
    /// Values in compressed blocks.
    pub compressed_values: u64,
    /// Bits of these blocks.
    pub compressed_bits: u64,
    /// Values that are kept as they are.
    pub exact_values: u64,
}

/// Keeps all tokens but the first 4 and the last 128 or more compressed, block by block; decodes them for each pass.
pub struct CompressedCache<C> {
    coder: C,
    codec: Arc<Codec>,
    block: usize,
    layers: Vec<[Lane; 2]>,
    counted: CacheBytes,
}

/// The keys or the values of one layer.
#[derive(Default)]
struct Lane {
    first: Option<Tensor>,
    blocks: Vec<Form>,
    last: Option<Tensor>,
}

impl<C: BlockCoder> CompressedCache<C> {
    /// An empty cache for a model of `layers` layers that compresses `block` tokens at a time.
    ///
    /// # Errors
    /// [`Error::Call`] for blocks of no tokens.
    pub fn new(coder: C, codec: Arc<Codec>, layers: usize, block: usize) -> Result<Self> {
        if block == 0 {
            return Err(Error::call("a cache's blocks of 0 tokens: the least is 1"));
        }
        let layers = std::iter::repeat_with(Default::default).take(layers).collect();
        Ok(Self { coder, codec, block, layers, counted: CacheBytes::default() })
    }

    /// What it keeps now.
    pub fn bytes(&self) -> CacheBytes {
        let exact = |lane: &Lane| {
            [&lane.first, &lane.last]
                .into_iter()
                .flatten()
                .map(|tensor| tensor.elem_count() as u64)
                .sum::<u64>()
        };
        let exact_values = self.layers.iter().flatten().map(exact).sum();
        CacheBytes { exact_values, ..self.counted }
    }

    /// The coder.
    pub fn coder(&self) -> &C {
        &self.coder
    }

    /// Forgets all tokens.
    pub fn reset(&mut self) {
        self.layers.iter_mut().for_each(|lanes| *lanes = Default::default());
        self.counted = CacheBytes::default();
    }

    /// Takes `[heads, tokens, dim]`, gives all tokens so far.
    fn append_to(&mut self, layer: usize, half: Half, new: &Tensor) -> Result<Tensor> {
        let (heads, _, dim) = new.dims3()?;
        let lane = &mut self.layers[layer][half as usize];
        // Rows of tokens, heads side by side.
        let rows = new.transpose(0, 1)?.contiguous()?.reshape(((), heads * dim))?;
        let mut last = match lane.last.take() {
            None => rows,
            Some(last) => Tensor::cat(&[&last, &rows], 0)?,
        };
        if lane.first.is_none() {
            let count = FIRST.min(last.dim(0)?);
            lane.first = Some(last.narrow(0, 0, count)?);
            last = last.narrow(0, count, last.dim(0)? - count)?;
        }
        let mut parts: Vec<Tensor> = lane.first.iter().cloned().collect();
        for form in &lane.blocks {
            parts.push(to_candle(&*decoded(&self.codec, form)?, &Device::Cpu)?);
        }
        // What was exact while it was computed is exact for this pass, and compressed from the next one on.
        parts.push(last.clone());
        while last.dim(0)? >= LAST + self.block {
            let block = from_candle(&last.narrow(0, 0, self.block)?)?;
            let coded = self.coder.code(layer, half, &block)?;
            self.counted.compressed_values += (self.block * heads * dim) as u64;
            self.counted.compressed_bits += coded.bits;
            lane.blocks.push(coded.form);
            last = last.narrow(0, self.block, last.dim(0)? - self.block)?;
        }
        lane.last = Some(last.contiguous()?);
        let all = Tensor::cat(&parts, 0)?;
        Ok(all.reshape(((), heads, dim))?.transpose(0, 1)?.contiguous()?)
    }
}

fn decoded<'f>(codec: &Codec, form: &'f Form) -> Result<std::borrow::Cow<'f, TensorBuf>> {
    Ok(match form {
        Form::Encoded(encoded) => std::borrow::Cow::Owned(codec.decode(encoded)?),
        Form::Values(values) => std::borrow::Cow::Borrowed(values),
    })
}

impl<C: BlockCoder> Cache for CompressedCache<C> {
    fn takes_keys_before_rope(&self) -> bool {
        self.coder.takes_keys_before_rope()
    }

    fn append(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        if layer >= self.layers.len() {
            return Err(Error::call(format!("layer {layer} of a cache of {}", self.layers.len())));
        }
        Ok((self.append_to(layer, Half::Keys, keys)?, self.append_to(layer, Half::Values, values)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use telecine::Target;

    use super::*;

    #[test]
    fn all_but_the_first_and_last_tokens_come_back_from_compressed_blocks() {
        let codec = Arc::new(Codec::new());
        let mut encoding = Encoding::new(Target::Bits(4.0));
        encoding.keep_small = false;
        let encodings = vec![[encoding.clone(), encoding]];
        let coder = Telecine { codec: codec.clone(), encodings, keys_before_rope: false, bits_once: 0 };
        let mut cache = CompressedCache::new(coder, codec, 1, BLOCK).unwrap();
        let step = |_| Tensor::randn(0f32, 1.0, (2, 128, 32), &Device::Cpu).unwrap();
        let steps: Vec<Tensor> = (0..4).map(step).collect();
        for new in &steps {
            cache.append(0, new, new).unwrap();
        }
        // The blocks that the last step compressed come back decoded with the next one.
        let more = step(4);
        let (keys, values) = cache.append(0, &more, &more).unwrap();
        let all = Tensor::cat(&[steps, vec![more]].concat(), 1).unwrap();
        assert_eq!((keys.dims(), values.dims()), (all.dims(), all.dims()));
        let error = |start: usize, count: usize| -> f32 {
            let part = |tensor: &Tensor| tensor.narrow(1, start, count).unwrap();
            (part(&keys) - part(&all)).unwrap().sqr().unwrap().mean_all().unwrap().to_scalar().unwrap()
        };
        assert_eq!((error(0, FIRST), error(640 - 128 - LAST, 128 + LAST)), (0.0, 0.0));
        assert!((1e-4..0.02).contains(&error(FIRST, BLOCK)), "{}", error(FIRST, BLOCK));
        let bytes = cache.bytes();
        let bits = bytes.compressed_bits as f64 / bytes.compressed_values as f64;
        assert!((3.5..4.5).contains(&bits), "{bits}");
        assert_eq!(bytes.compressed_values + bytes.exact_values, 2 * all.elem_count() as u64);
    }
}

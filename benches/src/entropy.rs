//! Other people's entropy coders.
//!
//! They keep symbols: the values rounded to a step at which they have about 3 bits of entropy, with one fitted
//! distribution for all of them. Rounding is not timed, so their place is beside a backend, not beside the pipeline.
//!
//! Of rANS alone, the crate `rans` binds C code, needs libclang to build and has seemed dead since early 2024, `ans` says
//! of itself that it is neither interleaved nor made for speed, and the coders of `noodles-cram` are private.
//! `msrtc-rans-core` has the plain states, which are interleaved here.

use constriction::UnwrapInfallible;
use constriction::stream::model::{
    IterableEntropyModel, SmallContiguousCategoricalEntropyModel, SmallContiguousLookupDecoderModel,
};
use constriction::stream::queue::{SmallRangeDecoder, SmallRangeEncoder};
use constriction::stream::stack::SmallAnsCoder;
use constriction::stream::{Decode, Encode};
use msrtc_rans_core::raw::{Rans64DecSymbol, Rans64Decoder, Rans64EncSymbol, Rans64Encoder};
use msrtc_rans_core::sink::VecSink;
use msrtc_rans_core::source::SliceSource;

use crate::race::{Coder, Fault};
use crate::rivals::same;

/// Values rounded to whole steps, and how often each number occurs.
#[derive(Clone)]
pub struct Symbols {
    symbols: Vec<i32>,
    counts: Vec<u32>,
}

impl Symbols {
    /// At about 3 bits: the entropy of a Gaussian is 2.05 bits at a step of its standard deviation.
    #[must_use]
    pub fn new(values: &[f32]) -> Self {
        let step = f32::exp2(2.047 - 3.0);
        let rounded: Vec<i32> = values.iter().map(|value| (value / step).round() as i32).collect();
        let least = rounded.iter().copied().min().unwrap_or(0);
        let symbols: Vec<i32> = rounded.iter().map(|symbol| symbol - least).collect();
        let most = symbols.iter().copied().max().unwrap_or(0);
        let mut counts = vec![0; most as usize + 1];
        symbols.iter().for_each(|&symbol| counts[symbol as usize] += 1);
        Self { symbols, counts }
    }

    fn model(&self) -> Result<SmallContiguousCategoricalEntropyModel, Fault> {
        let total = self.symbols.len() as f64;
        let shares: Vec<f64> = self.counts.iter().map(|&count| f64::from(count) / total).collect();
        SmallContiguousCategoricalEntropyModel::from_floating_point_probabilities_fast(&shares, None)
            .map_err(|()| "constriction takes no such distribution".into())
    }
}

/// Which of the coders of `constriction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Asymmetric numeral systems.
    Ans,
    /// A range coder.
    Range,
}

/// `constriction` with a categorical model of 12 bits and its fastest decoder, by a table.
pub struct Constriction {
    stream: Stream,
    symbols: Vec<i32>,
    encoder: SmallContiguousCategoricalEntropyModel,
    decoder: SmallContiguousLookupDecoderModel,
    packed: Vec<u16>,
    back: Vec<i32>,
}

impl Constriction {
    /// Of these symbols.
    ///
    /// # Errors
    /// A distribution that the crate does not take.
    pub fn new(symbols: &Symbols, stream: Stream) -> Result<Self, Fault> {
        let encoder = symbols.model()?;
        Ok(Self {
            stream,
            symbols: symbols.symbols.clone(),
            decoder: encoder.to_lookup_decoder_model(),
            encoder,
            packed: Vec::new(),
            back: vec![0; symbols.symbols.len()],
        })
    }
}

impl Coder for Constriction {
    fn encode(&mut self) -> Result<(), Fault> {
        let symbols = self.symbols.iter().map(|&symbol| symbol as usize);
        self.packed = match self.stream {
            Stream::Ans => {
                let mut coder = SmallAnsCoder::new();
                coder.encode_iid_symbols_reverse(symbols, &self.encoder)?;
                coder.into_compressed().unwrap_infallible()
            }
            Stream::Range => {
                let mut coder = SmallRangeEncoder::new();
                coder.encode_iid_symbols(symbols, &self.encoder)?;
                coder.into_compressed().unwrap_infallible()
            }
        };
        Ok(())
    }

    fn decode(&mut self) -> Result<(), Fault> {
        let count = self.back.len();
        match self.stream {
            Stream::Ans => {
                let coder = SmallAnsCoder::from_compressed_slice(&self.packed);
                let mut coder = coder.map_err(|_| "constriction refuses its own stream")?;
                let symbols = coder.decode_iid_symbols(count, &self.decoder);
                for (back, symbol) in self.back.iter_mut().zip(symbols) {
                    *back = symbol.unwrap_infallible() as i32;
                }
            }
            Stream::Range => {
                let mut coder = SmallRangeDecoder::from_compressed(&self.packed[..]).unwrap_infallible();
                let symbols = coder.decode_iid_symbols(count, &self.decoder);
                for (back, symbol) in self.back.iter_mut().zip(symbols) {
                    *back = symbol? as i32;
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        same(&self.symbols, &self.back)
    }

    fn packed(&self) -> usize {
        self.packed.len() * 2
    }
}

/// States of the interleaved coder.
const LANES: usize = 4;
/// Bits of its probabilities.
const SCALE: u32 = 12;

/// rANS of `msrtc-rans-core`: four 64-bit states that take turns, each with words of its own, and a table of 2¹² symbols.
pub struct Rans {
    symbols: Vec<i32>,
    encoder: Vec<Rans64EncSymbol>,
    decoder: Vec<Rans64DecSymbol>,
    /// The symbol at each place of the scale.
    table: Vec<u16>,
    packed: [Vec<u32>; LANES],
    back: Vec<i32>,
}

impl Rans {
    /// Of these symbols, with the same probabilities as [`Constriction`].
    ///
    /// # Errors
    /// A distribution that does not fit 12 bits.
    pub fn new(symbols: &Symbols) -> Result<Self, Fault> {
        let (mut encoder, mut decoder, mut table) = (Vec::new(), Vec::new(), Vec::new());
        for (symbol, start, share) in symbols.model()?.symbol_table() {
            let (start, share) = (u32::from(start), u32::from(share.get()));
            encoder.push(Rans64EncSymbol::new(start, share, SCALE));
            decoder.push(Rans64DecSymbol::new(start, share));
            table.resize((start + share) as usize, symbol as u16);
        }
        let back = vec![0; symbols.symbols.len()];
        let packed = [const { Vec::new() }; LANES];
        Ok(Self { symbols: symbols.symbols.clone(), encoder, decoder, table, packed, back })
    }
}

impl Coder for Rans {
    fn encode(&mut self) -> Result<(), Fault> {
        let mut lanes: [_; LANES] =
            std::array::from_fn(|_| Rans64Encoder::new(VecSink::new(self.symbols.len() / 16)));
        // Last in, first out.
        for (at, &symbol) in self.symbols.iter().enumerate().rev() {
            lanes[at % LANES].put(&self.encoder[symbol as usize]);
        }
        for (packed, lane) in self.packed.iter_mut().zip(&mut lanes) {
            lane.flush();
            packed.clear();
            packed.extend_from_slice(lane.sink().encoded());
        }
        Ok(())
    }

    fn decode(&mut self) -> Result<(), Fault> {
        let mut lanes: [_; LANES] =
            std::array::from_fn(|lane| Rans64Decoder::new(SliceSource::new(&self.packed[lane])));
        if !lanes.iter_mut().all(Rans64Decoder::init) {
            return Err("no states".into());
        }
        let table: &[u16; 1 << SCALE] = self.table.as_slice().try_into()?;
        let mut whole = true;
        for turn in self.back.chunks_mut(LANES) {
            for (back, lane) in turn.iter_mut().zip(&mut lanes) {
                let symbol = table[lane.get(SCALE) as usize];
                let Rans64DecSymbol { start, freq } = self.decoder[usize::from(symbol)];
                whole &= lane.advance(start, freq, SCALE);
                *back = i32::from(symbol);
            }
        }
        if whole { Ok(()) } else { Err("the words end early".into()) }
    }

    fn check(&self) -> Result<(), Fault> {
        same(&self.symbols, &self.back)
    }

    fn packed(&self) -> usize {
        self.packed.iter().map(|words| words.len() * 4).sum()
    }
}

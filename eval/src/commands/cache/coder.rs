//! Counts what coding of blocks costs and leaves.

use std::sync::{Mutex, PoisonError};

use telecine::TensorBuf;

use crate::Result;
use crate::candle::kv_cache::{Block, BlockCoder, Form, Half};

/// What becomes of a block, `[tokens, channels]`, of a layer's keys or values, and its bits.
pub(super) type Code<'c> = dyn Fn(usize, Half, &TensorBuf) -> Result<(TensorBuf, u64)> + 'c;

/// Keeps what comes back of blocks, decoded once for all passes, and adds up errors.
pub(super) struct Coder<'c> {
    code: &'c Code<'c>,
    before_rope: bool,
    bits_once: u64,
    /// Squared errors and squares.
    errors: Mutex<(f64, f64)>,
}

impl<'c> Coder<'c> {
    pub(super) fn new(code: &'c Code<'c>, before_rope: bool, bits_once: u64) -> Self {
        Self { code, before_rope, bits_once, errors: Mutex::default() }
    }

    /// Mean squared error of all blocks over their mean square.
    pub(super) fn nmse(&self) -> f64 {
        let (error, energy) = *self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        error / energy
    }
}

impl BlockCoder for Coder<'_> {
    fn code(&self, layer: usize, half: Half, block: &TensorBuf) -> Result<Block> {
        let (back, bits) = (self.code)(layer, half, block)?;
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        for (before, after) in block.to_f32().iter().zip(back.to_f32()) {
            errors.0 += f64::from(before - after).powi(2);
            errors.1 += f64::from(*before).powi(2);
        }
        drop(errors);
        Ok(Block { bits, form: Form::Values(back) })
    }

    fn takes_keys_before_rope(&self) -> bool {
        self.before_rope
    }

    fn bits_once(&self) -> u64 {
        self.bits_once
    }
}

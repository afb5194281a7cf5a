//! stub: written by the transforms helper
#![allow(missing_docs, unused)]
use crate::Result;
use std::sync::Arc;
#[derive(Debug, Clone, PartialEq, Default)]
pub enum TransformChoice {
    #[default]
    Auto,
    Chain(Chain),
}
#[derive(Debug, Clone, PartialEq)]
pub enum Transform {
    Centre,
    Dct { block: u32 },
    Klt { basis: Arc<Basis> },
}
#[derive(Debug, PartialEq)]
pub struct Basis;
impl Basis {
    pub fn id(&self) -> u64 {
        0
    }
    pub fn cols(&self) -> usize {
        0
    }
}
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chain {
    pub steps: Vec<Transform>,
}
impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("none")
    }
}
impl Chain {
    pub fn parse(_: &str, _: &dyn Fn(u64) -> Option<Arc<Basis>>) -> Result<Chain> {
        Ok(Chain::default())
    }
    pub fn forward(&self, _: &mut [f32], _: usize, _: usize, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
    pub fn inverse(&self, _: &mut [f32], _: usize, _: usize, _: &mut &[u8]) -> Result<()> {
        Ok(())
    }
}
pub fn candidates(_: usize, _: usize, _: u64) -> Vec<Chain> {
    vec![Chain::default()]
}

//! stub: written by the transforms helper
/// Which transform an encoding uses.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum TransformChoice {
    /// Whatever measures cheapest on a sample of the tensor at the target.
    #[default]
    Auto,
    /// This chain.
    Chain(Chain),
}
/// A chain of transforms.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chain;

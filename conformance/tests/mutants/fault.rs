//! What is wrong with each mutant, and which rules must say so.

macro_rules! faults {
    ($($fault:ident => [$($rule:literal),+];)*) => {
        /// What is wrong with a mutant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Fault { None, $($fault,)* }

        /// Every fault with the rules that must catch it.
        pub(crate) const FAULTS: &[(Fault, &[&str])] = &[$((Fault::$fault, &[$($rule),+]),)*];
    };
}

faults! {
    DropsLastSample => ["round-trip/lossless-exact", "pipeline/lossless-exact"];
    LosslessLosesLowBit => ["round-trip/lossless-exact", "pipeline/special-values"];
    EffortBestIsInexact => ["round-trip/lossless-exact"];
    DepthTwelveIsInexact => ["round-trip/lossless-exact"];
    SamplesOverDepth => ["round-trip/samples-within-depth"];
    IgnoresStep => ["rate-distortion/monotone", "round-trip/step-bound"];
    StepTimesThree => ["rate-distortion/step-predicts-error"];
    StepUpsideDown => ["rate-distortion/monotone"];
    WastesBytes => ["rate-distortion/near-shannon", "zoo/bits-well-spent"];
    PromisesTooMuch => ["rate-distortion/near-shannon"];
    InflatesNoise => ["rate-distortion/never-above-raw"];
    CountsPackets => ["determinism/same-bytes-twice", "pipeline/layout-does-not-show"];
    NamesItsThread => ["determinism/any-thread", "determinism/any-thread-count"];
    RemembersHowOftenItWasCalled => ["determinism/reused-encoder"];
    DecoderDrifts => ["determinism/same-samples-twice", "pipeline/report-is-measured"];
    OtherInstructionsDiffer => ["determinism/any-instructions"];
    DecodesAtRandom => ["determinism/same-samples-twice", "pipeline/rows-equal-whole"];
    PredictsFromLastGroup => ["self-containment/any-order"];
    ClearsThePacket => ["buffers/encode-appends"];
    PrependsToThePacket => ["buffers/encode-appends"];
    MixesWithTheOutput => ["buffers/decode-fills"];
    LeavesMiddleSamplesUnset => ["buffers/decode-fills"];
    LeavesJunkOnError => ["buffers/failed-encode-leaves-packet"];
    WritesPastTheEnd => ["buffers/decode-stays-within"];
    ReadsPastThePacket => ["buffers/inputs-end-where-they-end"];
    ReadsPastTheSamples => ["buffers/inputs-end-where-they-end"];
    OnlyEvenWidths => ["extremes/every-shape"];
    SingleRowsAreZero => ["extremes/every-shape"];
    SingleSamplesFail => ["extremes/every-shape"];
    LargeGroupsAreWrong => ["extremes/large-group"];
    WideRowsWrap => ["extremes/widest-tallest-longest"];
    ManyFramesAreWrong => ["extremes/widest-tallest-longest"];
    LastFrameIsLost => ["extremes/every-shape", "pipeline/lossless-exact"];
    StoresConstantsRaw => ["content/constant-is-cheap"];
    ClipsOutliers => ["content/outlier-kept", "content/adversarial-error"];
    LosesOneValue => ["content/every-sample-value"];
    DecoderDiesOnError => ["recovery/decoder-after-damage"];
    EncoderDiesOnError => ["recovery/encoder-after-error"];
    PanicsOnDamage => ["corruption/truncation", "corruption/bit-flips", "corruption/foreign"];
    PanicsOnTails => ["corruption/spliced"];
    AcceptsDamage => ["corruption/truncation"];
    BlamesItselfForDamage => ["corruption/truncation", "corruption/other-spec"];
    AllocatesByThePacket => ["limits/decoder-memory"];
    EncoderHoards => ["limits/encoder-memory"];
    Leaks => ["limits/nothing-kept"];
    LengthsAreDamage => ["arguments/wrong-lengths-are-invalid"];
    RefusesWhatItClaims => ["arguments/outside-capabilities-is-unsupported"];
    TakesWhatItDisclaims => ["arguments/outside-capabilities-is-unsupported"];
    ProbeLies => ["arguments/probe-agrees"];
    DisagreesWithItsPeer => ["cross-decoding/same-samples"];
    IsNotStandard => ["outside-decoder/same-samples"];
    PadsToPages => ["pipeline/bits-target-met", "zoo/max-abs-curve"];
    FailsAtFineSteps => ["zoo/refusals"];
    FailsOnQuietGroups => ["pipeline/bits-target-never-exceeded"];
    PanicsOnConstants => ["zoo/refusals"];
    FlatContentDrifts => ["zoo/target-holds", "zoo/report-is-measured"];
    LargerWithAge => ["zoo/never-above-lossless"];
    DecodesOtherwiseEverySecondTime => ["pipeline/error-targets-met", "zoo/side-effects-are-measured", "zoo/step-is-step"];
    NoisyAtFineSteps => ["zoo/more-bits-never-worse"];
}

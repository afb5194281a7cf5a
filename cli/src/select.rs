//! Options that choose tensors by name: a pattern that is a tensor's name is that name, any other is a glob, and one that
//! chooses nothing is a wrong call.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobMatcher, GlobSetBuilder};
use telecine::Target;

use crate::failure::{Failure, Result};

/// Globs that are matched together. More would not fit what the library takes for one set.
const TOGETHER: usize = 256;

/// The patterns that fit one name, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fit {
    /// The one that is the name itself.
    pub name: Option<usize>,
    /// The first and the last glob.
    pub globs: Option<(usize, usize)>,
}

impl Fit {
    /// The last pattern that fits, whether name or glob.
    #[must_use]
    pub fn last(&self) -> Option<usize> {
        self.name.max(self.globs.map(|(_, last)| last))
    }
}

/// The patterns that fit each name; `option` is where they come from, for messages.
///
/// # Errors
/// A wrong call for a pattern that is none, or fits no name.
pub fn select(option: &str, patterns: &[&str], names: &[&str]) -> Result<Vec<Fit>> {
    let wrong = |pattern: &str, reason: &dyn std::fmt::Display| {
        Failure::usage(format!("{option} {:?}: {reason}", shortened(pattern)))
    };
    let by_name: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let mut fits = vec![Fit::default(); names.len()];
    let mut unused = vec![false; patterns.len()];
    let mut globs = Vec::new();
    for (at, pattern) in patterns.iter().enumerate() {
        match by_name.get(pattern) {
            // Given twice, the later one counts.
            Some(&name) => fits[name].name = Some(at),
            None => {
                unused[at] = true;
                globs.push((at, build(pattern).map_err(|error| wrong(pattern, &error))?));
            }
        }
    }
    for globs in globs.chunks(TOGETHER) {
        let mut set = GlobSetBuilder::new();
        globs.iter().for_each(|(_, glob)| {
            set.add(glob.clone());
        });
        let set = set.build().map_err(|error| {
            // Of several, one is too long: the message names that one.
            let alone =
                globs.iter().find(|(_, glob)| compile(glob).is_err()).map_or(globs[0].0, |(at, _)| *at);
            wrong(patterns[alone], &error)
        })?;
        for (name, fit) in names.iter().zip(&mut fits) {
            for glob in set.matches(name) {
                let at = globs[glob].0;
                unused[at] = false;
                fit.globs = Some(fit.globs.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
            }
        }
    }
    match unused.iter().position(|unused| *unused) {
        Some(at) => Err(wrong(patterns[at], &"it fits no tensor")),
        None => Ok(fits),
    }
}

/// Whether each name fits the one pattern of an option; all do where it was not given.
///
/// # Errors
/// As [`select`].
pub fn chosen(option: &str, pattern: Option<&str>, names: &[&str]) -> Result<Vec<bool>> {
    let Some(pattern) = pattern else { return Ok(vec![true; names.len()]) };
    Ok(select(option, &[pattern], names)?.iter().map(|fit| fit.last().is_some()).collect())
}

/// The target of each name by `GLOB=TARGET` rules, of which the last that fits counts.
///
/// # Errors
/// As [`select`]; a wrong call for what is written otherwise.
pub fn targets(rules: &[String], names: &[&str]) -> Result<Vec<Option<Target>>> {
    let rules = rules.iter().map(|rule| parse_rule(rule)).collect::<Result<Vec<_>>>()?;
    let patterns: Vec<&str> = rules.iter().map(|(pattern, _)| *pattern).collect();
    let fits = select("--rule", &patterns, names)?;
    Ok(fits.iter().map(|fit| fit.last().map(|at| rules[at].1)).collect())
}

fn parse_rule(rule: &str) -> Result<(&str, Target)> {
    let wrong = || {
        let rule = shortened(rule);
        Failure::usage(format!("rule {rule:?} is not written as 'GLOB=TARGET', such as '*.weight=bits=3'"))
    };
    // Targets hold an equals sign of their own, but for `lossless`.
    let (pattern, target) = match rule.strip_suffix("=lossless") {
        Some(pattern) => (pattern, "lossless"),
        None => {
            let value = rule.rfind('=').ok_or_else(wrong)?;
            let name = rule[..value].rfind('=').ok_or_else(wrong)?;
            (&rule[..name], &rule[name + 1..])
        }
    };
    let about = |error| Failure::from(error).about(format!("rule {:?}", shortened(rule)));
    Ok((pattern, Target::parse(target).map_err(about)?))
}

/// A matcher for names that are not those of tensors; `*` stands for any characters, dots and slashes included.
///
/// # Errors
/// A wrong call for what is no glob, or too long a one.
pub fn glob(pattern: &str) -> Result<GlobMatcher> {
    let compiled = build(pattern).and_then(|glob| compile(&glob));
    compiled.map_err(|error| Failure::usage(format!("pattern {:?}: {error}", shortened(pattern))))
}

fn build(pattern: &str) -> std::result::Result<globset::Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(false).build()
}

/// The same, where it is not so long that the library panics.
fn compile(glob: &globset::Glob) -> std::result::Result<GlobMatcher, globset::Error> {
    // A set says with an error what a matcher ends the process for.
    GlobSetBuilder::new().add(glob.clone()).build()?;
    Ok(glob.compile_matcher())
}

/// Foreign text in a message: its begin is enough to find it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(patterns: &[&str], names: &[&str]) -> Vec<Option<usize>> {
        select("--rule", patterns, names).unwrap().iter().map(Fit::last).collect()
    }

    #[track_caller]
    fn refused(patterns: &[&str], names: &[&str], reason: &str) {
        let failure = select("--rule", patterns, names).unwrap_err();
        assert!(failure.status == 2 && failure.message.contains(reason), "{failure:?}");
        assert!(failure.message.len() < 1000, "{}", failure.message.len());
    }

    #[test]
    fn a_name_is_itself_whatever_it_says_as_a_glob() {
        let names = ["layers[0].w", "layers0.w", "a*", "ab", "x[", "y{a,b}"];
        assert_eq!(fitting(&["layers[0].w"], &names), [Some(0), None, None, None, None, None]);
        assert_eq!(fitting(&["a*"], &names), [None, None, Some(0), None, None, None]);
        assert_eq!(fitting(&["x[", "y{a,b}"], &names)[4..], [Some(0), Some(1)]);
        // No name: a glob.
        assert_eq!(fitting(&["layers[0]*"], &names)[..2], [None, Some(0)]);
        assert_eq!(
            fitting(&["*", "ab", "l*"], &names),
            [Some(2), Some(2), Some(0), Some(1), Some(0), Some(0)]
        );
        let both = select("--rule", &["ab", "a?", "*b"], &["ab"]).unwrap();
        assert_eq!(both, [Fit { name: Some(0), globs: Some((1, 2)) }]);
    }

    #[test]
    fn what_fits_nothing_is_named() {
        refused(&["*", "b.*"], &["a.b"], "\"b.*\": it fits no tensor");
        refused(&["a"], &["ab"], "\"a\"");
        refused(&["*"], &[], "\"*\"");
        refused(&["a["], &["ab"], "a[");
        assert!(chosen("--tensor", None, &[]).unwrap().is_empty());
        assert_eq!(chosen("--tensor", Some("a*"), &["b", "ab"]).unwrap(), [false, true]);
        assert_eq!(chosen("--tensor", Some("c"), &["b"]).unwrap_err().status, 2);
    }

    #[test]
    fn a_glob_beyond_the_library_is_a_wrong_call() {
        let long = "?".repeat(150_000);
        refused(&["*", &long], &["a"], "--rule \"????");
        assert_eq!(glob(&long).unwrap_err().status, 2);
        assert!(glob("a*").unwrap().is_match("a/b.c"));
    }

    #[test]
    fn thousands_of_globs_fit_thousands_of_names() {
        let names: Vec<String> = (0..9000).map(|at| format!("model.layers.{at}.mlp.weight")).collect();
        let globs: Vec<String> = (0..9000).map(|at| format!("*.layers.{at}.?lp.[uvw]eight")).collect();
        let of = |texts: &'_ [String]| texts.iter().map(|text| text.as_str().to_owned()).collect::<Vec<_>>();
        let (names, globs) = (of(&names), of(&globs));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let globs: Vec<&str> = globs.iter().map(String::as_str).collect();
        let fits = select("--rule", &globs, &names).unwrap();
        assert!(fits.iter().enumerate().all(|(at, fit)| fit.globs == Some((at, at))));
    }

    #[test]
    fn the_last_rule_that_fits_counts() {
        let rules = ["*=bits=3", "layers[0].w=lossless", "a=b*=nmse=0.1"].map(str::to_owned);
        let targets = targets(&rules, &["layers[0].w", "other", "a=bc"]).unwrap();
        assert_eq!(targets, [Some(Target::Lossless), Some(Target::Bits(3.0)), Some(Target::Nmse(0.1))]);
        for wrong in ["a", "a=3", "*=bits=0", "*=psnr=3", "b*=bits=3", "*=bits=1e999"] {
            assert_eq!(super::targets(&[wrong.to_owned()], &["a"]).unwrap_err().status, 2, "{wrong}");
        }
    }
}

//! Numbers and foreign text made fit for the page.

/// Longest foreign text that the page repeats, in characters.
const LONGEST: usize = 160;

/// Foreign text escaped for HTML and SVG, in element content and in quoted attributes.
///
/// Characters that steer text direction, or that XML forbids, are spelled out (`\u{202e}`), so that what is read
/// is what is there. The middle of very long text is left out.
pub fn escape(text: &str) -> String {
    let length = text.chars().count();
    let mut out = String::with_capacity(text.len().min(4 * LONGEST));
    if length <= LONGEST {
        escape_into(text.chars(), &mut out);
    } else {
        let half = LONGEST / 2;
        escape_into(text.chars().take(half), &mut out);
        out.push('…');
        escape_into(text.chars().skip(length - half), &mut out);
    }
    out
}

/// Like [`escape`], without leaving anything out.
pub fn escape_whole(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(text.chars(), &mut out);
    out
}

/// Like [`escape`] for element content, with places to break a long name at: behind dots, slashes, underscores.
pub fn breakable(text: &str) -> String {
    let mut out = String::new();
    for c in escape(text).chars() {
        out.push(c);
        if matches!(c, '.' | '_' | '/') {
            out.push_str("<wbr>");
        }
    }
    out
}

fn escape_into(text: impl Iterator<Item = char>, out: &mut String) {
    for c in text {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() || steers_direction(c) || is_noncharacter(c) => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
}

/// Whether a character is one of Unicode's bidirectional controls (UAX #9, section 2) or a line separator.
pub fn steers_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_noncharacter(c: char) -> bool {
    u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// A whole number with its thousands set apart.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A count with its noun, in the plural where it needs one.
pub fn counted(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(n as u64))
}

/// A positive quantity at three significant digits; an en dash for what is not a finite number.
pub fn number(x: f64) -> String {
    if !x.is_finite() {
        return dash();
    }
    let size = x.abs();
    if size == 0.0 {
        "0".into()
    } else if !(9.995e-5..1e7).contains(&size) {
        format!("{x:.2e}").replace('-', "−")
    } else if size >= 999.5 {
        // Below 1e7, so the rounded number is exact in f64 and prints without a fraction.
        let digits = format!("{:.0}", size);
        let sign = if x < 0.0 { "−" } else { "" };
        format!("{sign}{}", digits.parse().map_or(digits, count))
    } else {
        let mut decimals = 0;
        let mut limit = 99.95;
        while size < limit && decimals < 6 {
            decimals += 1;
            limit /= 10.0;
        }
        format!("{x:.decimals$}").replace('-', "−")
    }
}

/// Bits per value, to the hundredth.
pub fn bits(x: f64) -> String {
    if x.is_finite() { format!("{x:.2}") } else { dash() }
}

/// A difference in bits per value, always with its sign.
pub fn signed(x: f64) -> String {
    if !x.is_finite() {
        return dash();
    }
    let text = format!("{x:+.2}");
    if text == "-0.00" { "+0.00".into() } else { text.replace('-', "−") }
}

/// A target as it was asked for, without trailing zeros.
pub fn target(x: f64) -> String {
    if !x.is_finite() {
        return dash();
    }
    if x.abs() >= 1e7 {
        return number(x);
    }
    let text = format!("{x:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What stands where there is no number.
pub fn dash() -> String {
    "–".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_quotes_are_escaped() {
        assert_eq!(escape("<script>\"a\" & 'b'"), "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;");
    }

    #[test]
    fn long_names_break_at_their_dots() {
        assert_eq!(breakable("a.b_c<"), "a.<wbr>b_<wbr>c&lt;");
    }

    #[test]
    fn direction_overrides_and_control_characters_are_spelled_out() {
        assert_eq!(escape("a\u{202e}b\0c\u{feff}\u{ffff}"), "a\\u{202e}b\\u{0}c\u{feff}\\u{ffff}");
        assert_eq!(escape("two\nlines"), "two lines");
    }

    #[test]
    fn long_text_keeps_its_ends() {
        let long = format!("begin{}end", "é".repeat(100_000));
        let short = escape(&long);
        assert!(short.starts_with("begin") && short.ends_with("end") && short.contains('…'));
        assert_eq!(short.chars().count(), LONGEST + 1);
        assert_eq!(escape_whole(&long), long);
    }

    #[test]
    fn numbers_keep_three_significant_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1.00"),
            (0.0123, "0.0123"),
            (0.000_123_4, "0.000123"),
            (1.234e-5, "1.23e−5"),
            (9.999, "10.0"),
            (12.34, "12.3"),
            (999.6, "1,000"),
            (1570.2, "1,570"),
            (2e9, "2.00e9"),
            (-0.5, "−0.500"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (x, text) in cases {
            assert_eq!(number(x), text, "{x}");
        }
    }

    #[test]
    fn differences_have_a_sign_and_no_negative_zero() {
        assert_eq!(signed(0.0849), "+0.08");
        assert_eq!(signed(-0.04), "−0.04");
        assert_eq!(signed(-0.001), "+0.00");
        assert_eq!(signed(f64::NAN), "–");
    }

    #[test]
    fn targets_lose_trailing_zeros() {
        assert_eq!(target(2.0), "2");
        assert_eq!(target(2.5), "2.5");
        assert_eq!(target(100.0), "100");
        assert_eq!(target(1e300), "1.00e300");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "tensor"), "1 tensor");
    }
}

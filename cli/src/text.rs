//! Foreign text on a terminal, and lines to standard error.

use std::io::Write;

use telecine_report::steers_direction;

/// Foreign text with the characters spelled out (`\u{202e}`) that would steer the terminal or the direction of text, or
/// that nobody sees.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let unseen = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
        if c.is_control() || steers_direction(c) || unseen {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Prints a line to standard error; that nobody can read it is no failure of what it is about.
pub fn say(line: &str) {
    let mut line = printable(line);
    line.push('\n');
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_steers_a_terminal_is_spelled_out() {
        assert_eq!(
            printable("a\u{202e}b\u{1b}[2J\n\u{9b}\u{2066}\u{200f}"),
            "a\\u{202e}b\\u{1b}[2J\\u{a}\\u{9b}\\u{2066}\\u{200f}"
        );
        for plain in ["weights.0/größe e\u{301}", "層.重み", "\"quoted\" 'back\\slash'", ""] {
            assert_eq!(printable(plain), plain);
        }
    }
}

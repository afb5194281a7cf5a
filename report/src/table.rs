//! Tables.

use std::fmt::Write;

/// A table that scrolls within its own box on a narrow screen.
///
/// `caption` and `head` are escaped already, `body` holds the rows. `class` is `wide` where the last column is text.
pub fn table(caption: &str, class: &str, head: &[String], body: &str) -> String {
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\
         <table class=\"{class}\"><caption><span>{caption}</span></caption>\n<thead><tr>"
    );
    for cell in head {
        // Writing to a String cannot fail.
        let _ = write!(out, "<th scope=\"col\">{cell}</th>");
    }
    let _ = write!(out, "</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n");
    out
}

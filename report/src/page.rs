//! The frame of a page.

const STYLE: &str = include_str!("style.css");

/// One HTML page that needs nothing beside itself: no script, no font, no other file.
///
/// `title` is escaped already; `style` is CSS for this page alone, behind the shared style; `body` is markup.
pub fn page(title: &str, style: &str, body: &str) -> String {
    // Should a hostile name ever slip through, the policy still allows the page no script and no request.
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

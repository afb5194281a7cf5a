//! What tests of pages need.

/// Checks that every element is closed in order, ids are unique and attributes are quoted.
///
/// # Panics
/// With what is wrong.
pub fn assert_balanced(html: &str) {
    const VOID: [&str; 3] = ["meta", "br", "wbr"];
    let mut open: Vec<&str> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "stray >: {}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("every tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closes what was opened last");
            continue;
        }
        let inner = tag.trim_end_matches('/');
        let name = inner.split(' ').next().unwrap_or_default();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty(), "a name: {tag:?}");
        assert_eq!(inner.matches('"').count() % 2, 0, "quotes in pairs: {tag:?}");
        assert!(!inner.contains('<') && !inner.to_ascii_lowercase().contains(" onload"), "{tag:?}");
        if let Some(at) = inner.find(" id=\"") {
            ids.push(inner[at + 5..].split('"').next().unwrap_or_default());
        }
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("the style ends")..];
        }
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "ids are unique");
}

pub(super) fn render(_report: &super::Report) -> String {
    String::new()
}

//! Files are read through maps: when one is truncated meanwhile, the system sends `SIGBUS` to whoever looks beyond its new
//! end. That ends the command with a line and status 1, as other failures of I/O do.

/// Ends the process by `line` and status 1 from now on, instead of by the signal.
pub(crate) fn end_with_a_line() {
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler only calls functions that POSIX allows in one, and does not return.
    unsafe { libc::signal(libc::SIGBUS, handler as libc::sighandler_t) };
}

extern "C" fn handle(_: libc::c_int) {
    let line = b"telecine: a file was truncated while it was read\n";
    // SAFETY: `write` reads the bytes of `line` alone, and both functions may be called in a signal's handler.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
        libc::_exit(1);
    }
}

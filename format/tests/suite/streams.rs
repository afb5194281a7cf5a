//! Streams through sockets, and streams that promise more than they hold.

use std::io::{Cursor, Read, Write};

use telecine_core::{DType, Error as CoreError, Limits};
use telecine_format::{Error, StreamReader, StreamWriter};

use crate::rows::{read_stream_bytes, small, stream_bytes, tensor};

#[test]
fn rows_arrive_through_a_socket_as_they_are_flushed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, ask) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        let socket = std::net::TcpStream::connect(address).unwrap();
        let mut writer = StreamWriter::new(std::io::BufWriter::new(socket)).unwrap();
        for row in small() {
            // The next row is sent only once the one before has been read.
            ask.recv().unwrap();
            writer.write(&row.meta, &row.target, &row.chunk).unwrap();
            writer.flush().unwrap();
        }
        writer.finish().unwrap();
    });
    let (socket, _) = listener.accept().unwrap();
    let mut rows = Vec::new();
    asked.send(()).unwrap();
    for row in StreamReader::new(std::io::BufReader::new(socket), &Limits::default()).unwrap() {
        rows.push(row.unwrap());
        let _ = asked.send(());
    }
    sender.join().unwrap();
    assert_eq!(rows, small());
}

#[test]
fn what_follows_the_end_marker_is_left_alone() {
    let mut bytes = stream_bytes(&small());
    bytes.extend(stream_bytes(&small()[3..]));
    bytes.extend(b"rest");
    let mut source = Cursor::new(bytes);
    for expected in [&small()[..], &small()[3..]] {
        let reader = StreamReader::new(&mut source, &Limits::default()).unwrap();
        assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), expected);
    }
    let mut rest = String::new();
    source.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "rest");
}

#[test]
fn a_stream_that_is_not_ours_is_told_from_damage() {
    let arrow = |schema| arrow_ipc::writer::StreamWriter::try_new(Vec::new(), schema).unwrap();
    let foreign = arrow(&arrow_schema::Schema::empty()).into_inner().unwrap();
    for bytes in [
        &b""[..],
        b"short",
        b"GET / HTTP/1.1\r\n",
        &[0xff; 8],
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        &foreign,
    ] {
        let error = read_stream_bytes(bytes).unwrap_err();
        assert!(matches!(error, Error::NotThisFormat { .. }), "{bytes:?}: {error:?}");
    }
}

#[test]
fn a_reader_ends_after_its_first_error() {
    let bytes = stream_bytes(&small());
    let mut reader = StreamReader::new(&bytes[..bytes.len() - 9], &Limits::default()).unwrap();
    let error = reader.find_map(Result::err).unwrap();
    assert!(matches!(error, Error::Core(CoreError::Corrupt(_))), "{error:?}");
    assert!(reader.next().is_none());
}

#[test]
fn a_stream_without_end_is_read_as_it_comes() {
    // Were the reader to wait for the end, or to keep what it has read, this would not end.
    struct Endless {
        head: Cursor<Vec<u8>>,
        batch: Vec<u8>,
        sent: usize,
    }
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let read = self.head.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.sent += 1;
            (&self.batch[self.sent % self.batch.len()..]).read(&mut buffer[..1])
        }
    }
    let bytes = stream_bytes(&small());
    let source =
        Endless { head: Cursor::new(bytes[..bytes.len() - 8].to_vec()), batch: vec![0xff, 7], sent: 0 };
    let reader = StreamReader::new(source, &Limits::default()).unwrap();
    let results: Vec<_> = reader.collect();
    assert_eq!(results.len(), 7);
    assert!(results[..6].iter().all(Result::is_ok));
    assert!(matches!(results[6], Err(Error::Core(CoreError::Corrupt(_)))));
}

#[test]
fn a_batch_as_large_as_the_limits_allow_is_read() {
    let mut rows = tensor("weight", DType::F32, &[2, 16], 1);
    rows[0].chunk.packet.to_mut().resize((1 << 20) - 2000, 1);
    rows[1].chunk.packet.to_mut().resize(5 << 20, 2);
    let bytes = stream_bytes(&rows);
    let mut limits = Limits::DEFAULT;
    limits.packet_bytes = (5 << 20) + 6;
    let reader = StreamReader::new(&*bytes, &limits).unwrap();
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), rows);
    let mut small = limits;
    small.packet_bytes = 1 << 20;
    let error = StreamReader::new(&*bytes, &small).unwrap().find_map(Result::err).unwrap();
    assert!(matches!(error, Error::Core(CoreError::Limit { what: "bytes of a batch", .. })), "{error:?}");
}

#[test]
fn a_sink_that_fails_ends_the_stream() {
    struct Broken(usize);
    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let room = self.0.min(bytes.len());
            self.0 -= room;
            if room == 0 { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(room) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut writer = StreamWriter::new(Broken(4000)).unwrap();
    let rows = small();
    for row in &rows {
        writer.write(&row.meta, &row.target, &row.chunk).unwrap();
    }
    assert!(matches!(writer.flush(), Err(Error::Io { .. })));
    assert!(matches!(writer.flush(), Err(Error::Io { .. })));
    assert!(matches!(writer.finish(), Err(Error::Io { .. })));
}

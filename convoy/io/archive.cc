#include "convoy/io/archive.h"

#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <new>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::io {
namespace {

using base::InputError;
using base::str;
using Sink = std::function<void(std::span<const std::byte>)>;

constexpr std::size_t kPiece_bytes = std::size_t{1} << 16;
constexpr std::uint64_t kXzMemory_bytes = std::uint64_t{256} << 20;  // xz -9 needs 65 MiB

// The compressed bytes, a piece at a time.
class PieceReader {
 public:
  explicit PieceReader(const RandomAccessFile& file) : file_(file), piece_(kPiece_bytes) {}

  std::span<const std::byte> next() {
    const std::int64_t bytes = std::min<std::int64_t>(std::ssize(piece_), file_.size_bytes() - offset_);
    const auto part = std::span(piece_).first(static_cast<std::size_t>(bytes));
    if (bytes > 0) file_.read_at(offset_, part);
    offset_ += bytes;
    return part;
  }
  bool at_end() const { return offset_ == file_.size_bytes(); }
  // Position in the file of the byte that is `unused_bytes` before the end of what was handed out.
  std::int64_t position(std::size_t unused_bytes) const {
    return offset_ - static_cast<std::int64_t>(unused_bytes);
  }

 private:
  const RandomAccessFile& file_;
  std::vector<std::byte> piece_;
  std::int64_t offset_ = 0;
};

// Counts what comes out and stops a bomb.
class LimitedSink {
 public:
  LimitedSink(const RandomAccessFile& file, const Sink& sink, std::int64_t max_bytes)
      : file_(file), sink_(sink), max_bytes_(max_bytes) {}

  void write(std::span<const std::byte> bytes) {
    total_bytes_ += std::ssize(bytes);
    if (total_bytes_ > max_bytes_)
      throw InputError(file_.name(), str("unpacks to more than the ", max_bytes_, " bytes expected"));
    if (!bytes.empty()) sink_(bytes);
  }

 private:
  const RandomAccessFile& file_;
  const Sink& sink_;
  std::int64_t max_bytes_;
  std::int64_t total_bytes_ = 0;
};

void copy_plain(const RandomAccessFile& file, LimitedSink& out) {
  PieceReader in(file);
  while (!in.at_end()) out.write(in.next());
}

// zlib's stream, freed in every way out.
struct Inflater {
  Inflater() { CONVOY_CHECK(::inflateInit2(&stream, 15 + 16) == Z_OK, "zlib cannot start"); }
  ~Inflater() { ::inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
};

void unpack_gzip(const RandomAccessFile& file, LimitedSink& out) {
  PieceReader in(file);
  Inflater inflater;
  z_stream& stream = inflater.stream;
  std::vector<std::byte> piece(kPiece_bytes);
  bool in_member = true;  // an empty file lacks its first member
  while (true) {
    if (stream.avail_in == 0) {
      const auto bytes = in.next();
      if (bytes.empty()) break;
      stream.next_in =
          reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));  // zlib's type predates const
      stream.avail_in = static_cast<uInt>(bytes.size());
    }
    if (!in_member) {
      if (*stream.next_in != 0x1f)
        throw InputError(file.name(),
                         str("bytes after the end of the gzip data, at byte ", in.position(stream.avail_in)));
      CONVOY_CHECK(::inflateReset(&stream) == Z_OK);
      in_member = true;
    }
    int result = Z_OK;
    do {
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = static_cast<uInt>(piece.size());
      result = ::inflate(&stream, Z_NO_FLUSH);
      out.write(std::span(piece).first(piece.size() - stream.avail_out));
    } while (result == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0));
    if (result == Z_STREAM_END)
      in_member = false;
    else if (result != Z_OK && result != Z_BUF_ERROR)
      throw InputError(file.name(), str("corrupt gzip data at byte ", in.position(stream.avail_in), ": ",
                                        stream.msg != nullptr ? stream.msg : ::zError(result)));
  }
  if (in_member)
    throw InputError(file.name(),
                     str("cut short: the gzip data ends at byte ", file.size_bytes(), " in the middle"));
}

// liblzma's stream, freed in every way out.
struct XzDecoder {
  XzDecoder() = default;
  ~XzDecoder() { ::lzma_end(&stream); }
  XzDecoder(const XzDecoder&) = delete;
  XzDecoder& operator=(const XzDecoder&) = delete;

  void restart() {
    CONVOY_CHECK(::lzma_stream_decoder(&stream, kXzMemory_bytes, 0) == LZMA_OK, "liblzma cannot start");
  }

  lzma_stream stream = LZMA_STREAM_INIT;
};

[[noreturn]] void throw_xz(const RandomAccessFile& file, lzma_ret result, std::int64_t position) {
  switch (result) {
    case LZMA_BUF_ERROR:
      throw InputError(file.name(),
                       str("cut short: the xz data ends at byte ", file.size_bytes(), " in the middle"));
    case LZMA_FORMAT_ERROR:
      throw InputError(file.name(), str("not xz data before byte ", position));
    case LZMA_MEMLIMIT_ERROR:
      throw InputError(file.name(), str("needs more than ", kXzMemory_bytes, " bytes of memory to unpack"));
    case LZMA_OPTIONS_ERROR:
      throw InputError(file.name(),
                       str("xz data at byte ", position, " uses a filter that is not supported"));
    case LZMA_MEM_ERROR:
      throw std::bad_alloc();
    default:
      throw InputError(file.name(), str("corrupt xz data at byte ", position));
  }
}

// Decodes one stream and leaves what follows it in `stream.next_in`.
void unpack_xz_stream(const RandomAccessFile& file, PieceReader& in, XzDecoder& decoder, LimitedSink& out) {
  lzma_stream& stream = decoder.stream;
  std::vector<std::byte> piece(kPiece_bytes);
  lzma_ret result = LZMA_OK;
  while (result == LZMA_OK) {
    if (stream.avail_in == 0 && !in.at_end()) {
      const auto bytes = in.next();
      stream.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
      stream.avail_in = bytes.size();
    }
    stream.next_out = reinterpret_cast<std::uint8_t*>(piece.data());
    stream.avail_out = piece.size();
    result = ::lzma_code(&stream, in.at_end() ? LZMA_FINISH : LZMA_RUN);
    out.write(std::span(piece).first(piece.size() - stream.avail_out));
  }
  if (result != LZMA_STREAM_END) throw_xz(file, result, in.position(stream.avail_in));
}

// Skips the zeros that may follow a stream, in fours; true if another stream begins after them.
bool another_xz_stream(const RandomAccessFile& file, PieceReader& in, lzma_stream& stream) {
  std::int64_t zeros = 0;
  while (true) {
    if (stream.avail_in == 0) {
      const auto bytes = in.next();
      stream.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
      stream.avail_in = bytes.size();
    }
    const bool at_end = stream.avail_in == 0;
    if (!at_end && *stream.next_in == 0) {
      ++zeros;
      ++stream.next_in;
      --stream.avail_in;
      continue;
    }
    if (zeros % 4 != 0 || (!at_end && *stream.next_in != 0xfd))
      throw InputError(file.name(), str("bytes after the end of the xz data, at byte ",
                                        in.position(stream.avail_in) - zeros));
    return !at_end;
  }
}

void unpack_xz(const RandomAccessFile& file, LimitedSink& out) {
  PieceReader in(file);
  XzDecoder decoder;
  do {
    decoder.restart();
    unpack_xz_stream(file, in, decoder, out);
  } while (another_xz_stream(file, in, decoder.stream));
}

}  // namespace

Compression compression_of(const std::string& path) {
  if (path.ends_with(".gz")) return Compression::gzip;
  return path.ends_with(".xz") ? Compression::xz : Compression::none;
}

void unpack(const RandomAccessFile& file, Compression compression, const Sink& sink, std::int64_t max_bytes) {
  LimitedSink out(file, sink, max_bytes);
  switch (compression) {
    case Compression::none:
      return copy_plain(file, out);
    case Compression::gzip:
      return unpack_gzip(file, out);
    case Compression::xz:
      return unpack_xz(file, out);
  }
}

}  // namespace convoy::io

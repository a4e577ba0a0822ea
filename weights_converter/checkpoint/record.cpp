#include "weights_converter/checkpoint/record.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>

#include "tyto/error.h"

namespace tyto {

// A raw deflate stream (no zlib header, as in zip), inflated through a window of the file.
struct RecordReader::Inflater {
  Inflater(const File& f, const Record& r) : file(f), record(r) { restart(); }
  ~Inflater() {
    if (started) inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void restart() {
    if (started) inflateEnd(&stream);
    stream = {};
    started = inflateInit2(&stream, -MAX_WBITS) == Z_OK;
    if (!started)
      throw Error(ErrorKind::Memory, fmt::format("{}: no memory to inflate", file.path().string()));
    consumed = produced = 0;
  }

  void read(std::span<std::byte> into) {
    while (!into.empty()) {
      if (stream.avail_in == 0) refill();
      const auto step = static_cast<uInt>(std::min<size_t>(into.size(), 1 << 20));
      stream.next_out = reinterpret_cast<Bytef*>(into.data());
      stream.avail_out = step;
      const int status = inflate(&stream, Z_NO_FLUSH);
      const size_t made = step - stream.avail_out;
      into = into.subspan(made);
      produced += made;
      const bool stuck = made == 0 && stream.avail_in == 0 && consumed == record.stored_bytes;
      if ((status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) || stuck ||
          (status == Z_STREAM_END && !into.empty()))
        throw Error(ErrorKind::Format, fmt::format("{}: the deflated record at byte {} is damaged",
                                                   file.path().string(), record.begin));
    }
  }

  void skip_to(uint64_t offset) {
    if (offset < produced) restart();
    std::vector<std::byte> dropped(static_cast<size_t>(std::min<uint64_t>(offset - produced, 64 << 10)));
    while (produced < offset)
      read(std::span(dropped).first(std::min<uint64_t>(dropped.size(), offset - produced)));
  }

  void refill() {
    const uint64_t n = std::min<uint64_t>(packed.size(), record.stored_bytes - consumed);
    file.read(record.begin + consumed, std::as_writable_bytes(std::span(packed).first(n)));
    consumed += n;
    stream.next_in = packed.data();
    stream.avail_in = static_cast<uInt>(n);
  }

  const File& file;
  const Record& record;
  z_stream stream{};
  bool started = false;
  uint64_t consumed = 0, produced = 0;  // bytes taken from the file, bytes given out
  std::array<Bytef, 64 << 10> packed;
};

RecordReader::RecordReader(const File& file, const Record& record) : file_(file), record_(record) {
  if (record_.deflated) inflater_ = std::make_unique<Inflater>(file_, record_);
}

RecordReader::~RecordReader() = default;

void RecordReader::read(uint64_t offset, std::span<std::byte> into) {
  if (offset > record_.bytes || into.size() > record_.bytes - offset)
    throw Error(ErrorKind::Format,
                fmt::format("{}: the record at byte {} ends after {} bytes, {} more are needed",
                            file_.path().string(), record_.begin, record_.bytes,
                            offset + into.size() - record_.bytes));
  if (!inflater_) return file_.read(record_.begin + offset, into);
  inflater_->skip_to(offset);
  inflater_->read(into);
}

}  // namespace tyto

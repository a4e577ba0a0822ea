#include "apps/bev/nuscenes_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "apps/console.h"
#include "files/file.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

// The bytes of a table, of which a piece is held.
class TableBytes {
 public:
  explicit TableBytes(const std::filesystem::path& path)
      : file_(path),
        progress_(fmt::format("reading {} (MiB)", path.filename().string()),
                  static_cast<int64_t>(file_.size() / kPiece)),
        piece_(static_cast<size_t>(std::min<uint64_t>(kPiece, file_.size()))) {
    fill();
  }

  bool over() const { return at_ == held_; }
  char byte() const { return piece_[at_]; }
  void advance() {
    if (++at_ == held_) fill();
  }

  void begin_row() { row_begin_ = position(); }
  uint64_t row_bytes() const { return position() - row_begin_; }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::Format, file_.path().string() + what);
  }
  [[noreturn]] void fail_row(int64_t row, const std::string& what) const {
    fail(fmt::format(": row {} {}", row, what));
  }
  void check_row(int64_t row) const {
    if (row_bytes() > kMaxRowBytes) fail_row(row, fmt::format("is longer than {} bytes", kMaxRowBytes));
  }
  int64_t rows = 0;  // that were visited

 private:
  static constexpr size_t kPiece = 1 << 20;

  uint64_t position() const { return before_ + at_; }
  void fill() {
    check_interrupted();
    if (before_ + held_ > 0) {
      check_row(rows + 1);
      progress_.advance();
    }
    before_ += held_;
    at_ = 0;
    held_ = static_cast<size_t>(std::min<uint64_t>(piece_.size(), file_.size() - before_));
    file_.read(before_, std::as_writable_bytes(std::span(piece_).first(held_)));
  }

  File file_;
  Progress progress_;
  std::vector<char> piece_;
  uint64_t before_ = 0;  // bytes before the piece
  size_t at_ = 0, held_ = 0;
  uint64_t row_begin_ = 0;
};

// As nlohmann's parser wants them; the default is the end.
class ByteIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  ByteIterator() = default;
  explicit ByteIterator(TableBytes& bytes) : bytes_(&bytes) {}
  char operator*() const { return bytes_->byte(); }
  ByteIterator& operator++() {
    bytes_->advance();
    return *this;
  }
  void operator++(int) { bytes_->advance(); }
  bool operator==(const ByteIterator& other) const { return over() == other.over(); }

 private:
  bool over() const { return !bytes_ || bytes_->over(); }
  TableBytes* bytes_ = nullptr;
};

// Builds the wanted values of one row after the other.
class RowBuilder : public nlohmann::json_sax<ordered_json> {
 public:
  RowBuilder(TableBytes& bytes, const std::filesystem::path& path, std::initializer_list<const char*> fields,
             const std::function<void(const JsonObject&)>& visit)
      : bytes_(bytes), name_(path.string()), fields_(fields.begin(), fields.end()), visit_(visit) {}

  bool null() override { return take(nullptr); }
  bool boolean(bool value) override { return take(value); }
  bool number_integer(int64_t value) override { return take(value); }
  bool number_unsigned(uint64_t value) override { return take(value); }
  bool number_float(double value, const std::string&) override { return take(value); }
  bool string(std::string& value) override { return take(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON has none

  bool start_object(size_t) override {
    if (depth_ != kInList) return open(ordered_json::object());
    bytes_.begin_row();
    row_ = ordered_json::object();
    ++depth_;
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ > 0) return open(ordered_json::array());
    ++depth_;
    return true;
  }
  bool key(std::string& value) override {
    key_ = std::move(value);
    if (depth_ == kInRow) wanted_ = std::ranges::find(fields_, key_) != fields_.end();
    return true;
  }
  bool end_object() override {
    close();
    if (depth_ != kInList) return true;
    bytes_.check_row(bytes_.rows + 1);
    visit_({row_, fmt::format("{}: row {}", name_, ++bytes_.rows)});
    return true;
  }
  bool end_array() override {
    close();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    bytes_.fail(fmt::format(": not valid JSON at byte {}; was it cut off?", position));
  }

 private:
  static constexpr int kInList = 1, kInRow = 2;

  // Where it went, or null where nobody wants it.
  template <class T>
  ordered_json* place(T&& value) {
    if (depth_ == 0) bytes_.fail(" is not a list of rows, as a table of nuScenes is");
    if (depth_ == kInList) bytes_.fail_row(bytes_.rows + 1, "is not a JSON object");
    if (depth_ == kInRow) return wanted_ ? &(row_[key_] = std::forward<T>(value)) : nullptr;
    if (open_.empty()) return nullptr;
    ordered_json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::forward<T>(value));
    parent.push_back(std::forward<T>(value));
    return &parent.back();
  }
  template <class T>
  bool take(T&& value) {
    place(std::forward<T>(value));
    return true;
  }
  bool open(ordered_json container) {
    if (depth_ - kInList > kMaxRowNesting) bytes_.fail_row(bytes_.rows + 1, "is nested too deeply");
    ordered_json* const placed = place(std::move(container));
    if (placed) open_.push_back(placed);
    ++depth_;
    return true;
  }
  void close() {
    --depth_;
    if (!open_.empty()) open_.pop_back();
  }

  TableBytes& bytes_;
  const std::string name_;
  const std::vector<std::string> fields_;
  const std::function<void(const JsonObject&)>& visit_;
  int depth_ = 0;
  ordered_json row_;
  std::string key_;
  bool wanted_ = false;              // the value of the row that is being read
  std::vector<ordered_json*> open_;  // lists and objects of that value, outermost first
};

}  // namespace

void for_each_row(const std::filesystem::path& table, std::initializer_list<const char*> fields,
                  const std::function<void(const JsonObject& row)>& visit) {
  TableBytes bytes(table);
  RowBuilder builder(bytes, table, fields, visit);
  ordered_json::sax_parse(ByteIterator(bytes), ByteIterator(), &builder);
}

}  // namespace tyto::apps

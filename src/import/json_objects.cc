// SPDX-License-Identifier: Apache-2.0
// ConvertTo-Json of PowerShell objects: one, a list, or several documents behind each other (>>). Objects lie
// at any depth. The library's event interface is used, because its tree knows no lines.
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "import/source_object.hh"

namespace nlb::import {
namespace {

using nlohmann::json;
constexpr std::size_t kMaxDepth = 32;

struct Cursor {
  const char* at;
  int line = 1;
};

// The parser copies its iterators; the place lives outside of them, so that events can ask for the line and
// the next document begins where this one ended.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  CountingIterator(Cursor* cursor, const char* end) : cursor_(cursor), end_(end) {}
  reference operator*() const { return *cursor_->at; }
  CountingIterator& operator++() {
    if (*cursor_->at == '\n') ++cursor_->line;
    ++cursor_->at;
    return *this;
  }
  CountingIterator operator++(int) {
    const auto before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return is_end() == other.is_end(); }
  bool operator!=(const CountingIterator& other) const { return !(*this == other); }

 private:
  [[nodiscard]] bool is_end() const { return cursor_ == nullptr || cursor_->at == end_; }
  Cursor* cursor_;
  const char* end_;
};

// Each object of the text becomes a SourceObject. Inside another one, it is also that one's property: an
// address object by its IPAddressToString, any other by its Name.
class Reader {
 public:
  Reader(const Cursor& cursor, std::vector<SourceObject>& objects) : cursor_(cursor), objects_(objects) {}
  std::optional<std::string> trouble;

  bool null() { return put(""); }
  bool boolean(bool value) { return put(value ? "True" : "False"); }
  bool number_integer(json::number_integer_t value) { return put(std::to_string(value), true); }
  bool number_unsigned(json::number_unsigned_t value) { return put(std::to_string(value), true); }
  bool number_float(json::number_float_t, const json::string_t& text) { return put(text, true); }
  bool string(json::string_t& text) { return put(text); }
  bool binary(json::binary_t&) { return put(""); }
  bool start_object(std::size_t) { return open(false); }
  bool start_array(std::size_t) { return open(true); }
  bool key(json::string_t& name) {
    frames_.back().key = name;
    frames_.back().key_line = cursor_.line;
    return true;
  }
  bool end_object() {
    const Frame closed = close();
    std::string word = closed.object.text({"IPAddressToString"});
    if (word.empty()) {
      word = closed.object.text({"Name"});
      auto& object = objects_[closed.index] = closed.object;
      object.wraps = object.wraps || (!frames_.empty() && !frames_.back().is_list);  // "Cluster": {"Name": …}
    }
    return frames_.empty() || word.empty() || put(word);
  }
  bool end_array() {
    const Frame closed = close();
    return frames_.empty() || closed.items.empty() || put(closed.items);
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    std::string_view text = error.what();  // "[…] parse error at line 3, column 5: syntax error …"
    const auto place = text.find("column ");
    const auto colon = place == std::string_view::npos ? place : text.find(": ", place);
    if (colon != std::string_view::npos) text.remove_prefix(colon + 2);
    trouble = "is not JSON: " + std::string(text);
    return false;
  }

 private:
  struct Frame {
    bool is_list;
    SourceObject object;
    std::size_t index;  // into objects_, so that they come in the order in which they begin
    std::string key;
    int key_line;
    std::string items;  // of a list, with ", "
  };

  bool open(bool is_list) {
    if (frames_.size() == kMaxDepth) {
      trouble = fmt::format("is nested deeper than {} levels", kMaxDepth);
      return false;
    }
    SourceObject object;
    object.line = cursor_.line;
    for (Frame& frame : frames_) frame.object.wraps = true;
    frames_.push_back({is_list, std::move(object), objects_.size(), "", cursor_.line, ""});
    if (!is_list) objects_.emplace_back();
    return true;
  }

  Frame close() {
    Frame closed = std::move(frames_.back());
    frames_.pop_back();
    return closed;
  }

  bool put(const std::string& text, bool number = false) {
    if (frames_.empty()) return true;  // a document that is one bare value
    Frame& frame = frames_.back();
    if (frame.is_list)
      frame.items += (frame.items.empty() ? "" : ", ") + text;
    else
      frame.object.properties.push_back({frame.key, std::string(trimmed(text)), frame.key_line, number});
    return true;
  }

  const Cursor& cursor_;
  std::vector<SourceObject>& objects_;
  std::vector<Frame> frames_;
};

}  // namespace

Objects read_json_objects(std::string_view text, const std::string& file) {
  std::vector<SourceObject> objects;
  const char* const end = text.data() + text.size();
  Cursor cursor{text.data()};
  const auto skip_blanks = [&] {
    for (; cursor.at != end && trimmed({cursor.at, 1}).empty(); ++cursor.at)
      if (*cursor.at == '\n') ++cursor.line;
  };
  for (skip_blanks(); cursor.at != end; skip_blanks()) {
    if (*cursor.at != '{' && *cursor.at != '[')
      return tl::unexpected(ConfigProblem{file, cursor.line, "is not JSON: text behind a document"});
    Reader reader(cursor, objects);
    const bool good = json::sax_parse(CountingIterator(&cursor, end), CountingIterator(nullptr, nullptr),
                                      &reader, json::input_format_t::json, false);
    if (!good)
      return tl::unexpected(ConfigProblem{file, cursor.line, reader.trouble.value_or("is not JSON")});
  }
  std::erase_if(objects, [](const SourceObject& object) { return object.properties.empty(); });
  return objects;
}

}  // namespace nlb::import

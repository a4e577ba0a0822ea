#include "apps/detection/voc_annotations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <pugixml.hpp>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

#include "files/file.h"
#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxXmlBytes = 16 << 20, kMaxSplitBytes = 256 << 20;

std::vector<std::string> stems(const fs::path& folder, const char* extension) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension) found.push_back(entry.path().stem().string());
  std::sort(found.begin(), found.end());
  return found;
}

std::string choose_split(const fs::path& lists, const std::string& asked) {
  const auto there = [&](const std::string& split) { return fs::exists(lists / (split + ".txt")); };
  for (const std::string& split :
       asked.empty() ? std::vector<std::string>{"test", "val"} : std::vector{asked})
    if (there(split)) return split;
  throw Error(ErrorKind::Usage,
              fmt::format("{}: no {}.txt; choose with --split, there are: {}", lists.string(),
                          asked.empty() ? "test.txt or val" : asked, fmt::join(stems(lists, ".txt"), ", ")));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// "000001" of "000001 -1", as lists of one class have it; empty of other lines.
std::string without_flag(const std::string& line) {
  const size_t gap = line.find_last_of(" \t");
  if (gap == std::string::npos) return {};
  const std::string flag = line.substr(gap + 1);
  return flag == "1" || flag == "0" || flag == "-1" ? std::string(trimmed(line.substr(0, gap)))
                                                    : std::string();
}

// The name that a line means: the first reading of it that has an annotation.
std::string image_of(const std::string& line, const fs::path& xmls) {
  const std::string bare = without_flag(line);
  std::error_code no_name;  // it may be too long for one
  for (const std::string& name : {line, bare, fs::path(line).stem().string(), fs::path(bare).stem().string()})
    if (!name.empty() && fs::exists(xmls / (name + ".xml"), no_name)) return name;
  return bare.empty() ? line : bare;
}

std::vector<std::string> read_split(const fs::path& file, const fs::path& xmls) {
  std::vector<std::string> images;
  std::set<std::string> seen;
  std::istringstream lines(read_text(file, kMaxSplitBytes));
  for (std::string text; std::getline(lines, text);) {
    const std::string line(trimmed(text));
    if (line.empty()) continue;
    if (line.find('/') != std::string::npos)
      throw Error(ErrorKind::Format,
                  fmt::format("{}: '{}' is not a name without folder", file.string(), line));
    images.push_back(image_of(line, xmls));
    if (!seen.insert(images.back()).second)
      throw Error(ErrorKind::Format,
                  fmt::format("{}: '{}' stands there twice", file.string(), images.back()));
  }
  return images;
}

// What is wrong with an object: "has no name".
struct Fault {
  std::string what;
};

// One <object>; its functions throw a Fault.
class ObjectElement {
 public:
  explicit ObjectElement(pugi::xml_node node) : node_(node) {}

  std::string name() const {
    const std::string_view name = trimmed(node_.child_value("name"));
    if (name.empty()) fail("has no name");
    return std::string(name);
  }

  bool difficult() const {
    const std::string flag(trimmed(node_.child_value("difficult")));
    const auto is_any_of = [&](std::initializer_list<const char*> texts) {
      return std::ranges::any_of(texts,
                                 [&](const char* text) { return ::strcasecmp(flag.c_str(), text) == 0; });
    };
    if (!is_any_of({"", "0", "1", "false", "true"})) fail("has a <difficult> that is neither 0 nor 1");
    return is_any_of({"1", "true"});
  }

  void read_box(VocObject& object) const {
    object.xmin = number("xmin");
    object.ymin = number("ymin");
    object.xmax = number("xmax");
    object.ymax = number("ymax");
    if (object.xmax < object.xmin || object.ymax < object.ymin)
      fail("has a <bndbox> that ends before it begins");
  }

 private:
  double number(const char* key) const {
    const std::string_view text = trimmed(node_.child("bndbox").child_value(key));
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      fail(fmt::format("has no number in <bndbox><{}>", key));
    return value;
  }

  [[noreturn]] static void fail(const std::string& what) { throw Fault{what}; }

  pugi::xml_node node_;
};

// Numbers names in the order they come; sorted() says what each becomes.
class Names {
 public:
  int index(const std::string& name) {
    return numbers_.try_emplace(name, static_cast<int>(numbers_.size())).first->second;
  }
  // The names in order, and for each number its index among them.
  std::pair<std::vector<std::string>, std::vector<int>> sorted() const {
    std::vector<std::string> names;
    std::vector<int> indices(numbers_.size());
    for (const auto& [name, number] : numbers_) {
      indices[static_cast<size_t>(number)] = static_cast<int>(names.size());
      names.push_back(name);
    }
    return {names, indices};
  }

 private:
  std::map<std::string, int> numbers_;
};

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// What a file declares as its encoding, where that is none that pugixml reads; else empty.
std::string strange_encoding(const pugi::xml_document& document) {
  const std::string declared = document.first_child().attribute("encoding").value();
  for (const char* known : {"", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1"})
    if (::strcasecmp(declared.c_str(), known) == 0) return {};
  return ::strncasecmp(declared.c_str(), "utf-", 4) == 0 ? std::string() : declared.substr(0, 40);
}

// Most files that declare another encoding have it for the sake of a path that nobody reads.
void check_encoding(const std::string& name, const std::string& strange, const fs::path& file) {
  if (is_utf8(name) && (strange.empty() || is_ascii(name))) return;
  throw Error(ErrorKind::Format,
              fmt::format("{}: a class name is written in {}, which is not read; save the file as UTF-8",
                          file.string(), strange.empty() ? "an encoding that is not declared" : strange));
}

void read_objects(const fs::path& file, int64_t image, Names& names, VocAnnotations& a) {
  const std::string bytes = read_bytes(file, kMaxXmlBytes);
  pugi::xml_document document;
  const pugi::xml_parse_result result =
      document.load_buffer(bytes.data(), bytes.size(), pugi::parse_default | pugi::parse_declaration);
  if (!result)
    throw Error(ErrorKind::Format, fmt::format("{}: not valid XML at byte {} ({})", file.string(),
                                               result.offset, result.description()));
  const pugi::xml_node root = document.child("annotation");
  if (!root)
    throw Error(ErrorKind::Format,
                fmt::format("{}: no <annotation> as PASCAL VOC's files have", file.string()));
  const std::string strange = strange_encoding(document);
  int number = 0;
  for (const pugi::xml_node node : root.children("object")) {
    const ObjectElement element(node);
    ++number;
    try {
      VocObject object;
      const std::string name = element.name();
      object.image = image;
      object.difficult = element.difficult();
      element.read_box(object);
      check_encoding(name, strange, file);
      object.category = names.index(name);
      a.objects.push_back(object);
    } catch (const Fault& fault) {
      a.skipped_objects.push_back(fmt::format("{}: object {} {}", file.string(), number, fault.what));
    }
  }
}

}  // namespace

VocAnnotations read_voc_annotations(const fs::path& folder, const std::string& split) {
  const fs::path xmls = folder / "Annotations", lists = folder / "ImageSets" / "Main";
  if (!fs::is_directory(xmls))
    throw Error(ErrorKind::File,
                fmt::format("{}: no folder Annotations; --voc takes a folder such as VOCdevkit/VOC2007",
                            folder.string()));
  VocAnnotations a;
  a.folder = folder.string();
  if (fs::is_directory(lists)) {
    a.split = choose_split(lists, split);
    a.images = read_split(lists / (a.split + ".txt"), xmls);
  } else if (split.empty()) {
    a.images = stems(xmls, ".xml");
  } else {
    throw Error(ErrorKind::Usage,
                fmt::format("{}: no folder ImageSets/Main, so there is no split '{}'; leave --split out",
                            folder.string(), split));
  }

  Names names;
  for (size_t i = 0; i < a.images.size(); ++i)
    read_objects(xmls / (a.images[i] + ".xml"), static_cast<int64_t>(i), names, a);
  const auto [categories, indices] = names.sorted();
  a.categories = categories;
  for (VocObject& object : a.objects) object.category = indices[static_cast<size_t>(object.category)];
  return a;
}

}  // namespace tyto::apps

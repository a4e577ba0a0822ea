#include "apps/detection/voc_annotations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <pugixml.hpp>
#include <set>
#include <sstream>
#include <string_view>

#include "engine/file.h"
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

// The first word of every line; lists of one class have 1, 0 or -1 behind it.
std::vector<std::string> read_split(const fs::path& file) {
  std::vector<std::string> images;
  std::set<std::string> seen;
  std::istringstream lines(read_text(file, kMaxSplitBytes));
  for (std::string line, image; std::getline(lines, line);) {
    if (!(std::istringstream(line) >> image)) continue;
    if (image.find('/') != std::string::npos)
      throw Error(ErrorKind::Format,
                  fmt::format("{}: '{}' is not a name without folder", file.string(), image));
    if (!seen.insert(image).second)
      throw Error(ErrorKind::Format, fmt::format("{}: '{}' stands there twice", file.string(), image));
    images.push_back(image);
  }
  return images;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// One <object>, counted from 1.
class ObjectElement {
 public:
  ObjectElement(pugi::xml_node node, std::string file, int number)
      : node_(node), file_(std::move(file)), number_(number) {}

  std::string name() const {
    const std::string_view name = trimmed(node_.child_value("name"));
    if (name.empty()) fail("has no name");
    return std::string(name);
  }

  bool difficult() const {
    const std::string_view flag = trimmed(node_.child_value("difficult"));
    if (flag != "" && flag != "0" && flag != "1") fail("has a <difficult> that is neither 0 nor 1");
    return flag == "1";
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

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::Format, fmt::format("{}: object {} {}", file_, number_, what));
  }

  pugi::xml_node node_;
  std::string file_;
  int number_;
};

// Numbers names in the order they come; sorted() says what each becomes.
class Names {
 public:
  int place(const std::string& name) {
    return numbers_.try_emplace(name, static_cast<int>(numbers_.size())).first->second;
  }
  // The names in order, and for each number its place among them.
  std::pair<std::vector<std::string>, std::vector<int>> sorted() const {
    std::vector<std::string> names;
    std::vector<int> places(numbers_.size());
    for (const auto& [name, number] : numbers_) {
      places[static_cast<size_t>(number)] = static_cast<int>(names.size());
      names.push_back(name);
    }
    return {names, places};
  }

 private:
  std::map<std::string, int> numbers_;
};

void read_objects(const fs::path& file, int64_t image, Names& names, std::vector<VocObject>& objects) {
  const std::string text = read_text(file, kMaxXmlBytes);
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size());
  if (!result)
    throw Error(ErrorKind::Format, fmt::format("{}: not valid XML at byte {} ({})", file.string(),
                                               result.offset, result.description()));
  const pugi::xml_node root = document.child("annotation");
  if (!root)
    throw Error(ErrorKind::Format,
                fmt::format("{}: no <annotation> as PASCAL VOC's files have", file.string()));
  int number = 0;
  for (const pugi::xml_node node : root.children("object")) {
    const ObjectElement element(node, file.string(), ++number);
    VocObject& object = objects.emplace_back();
    object.image = image;
    object.category = names.place(element.name());
    object.difficult = element.difficult();
    element.read_box(object);
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
    a.images = read_split(lists / (a.split + ".txt"));
  } else if (split.empty()) {
    a.images = stems(xmls, ".xml");
  } else {
    throw Error(ErrorKind::Usage,
                fmt::format("{}: no folder ImageSets/Main, so there is no split '{}'; leave --split out",
                            folder.string(), split));
  }

  Names names;
  for (size_t i = 0; i < a.images.size(); ++i)
    read_objects(xmls / (a.images[i] + ".xml"), static_cast<int64_t>(i), names, a.objects);
  const auto [categories, places] = names.sorted();
  a.categories = categories;
  for (VocObject& object : a.objects) object.category = places[static_cast<size_t>(object.category)];
  return a;
}

}  // namespace tyto::apps

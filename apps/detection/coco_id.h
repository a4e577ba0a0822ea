// How COCO's files number images, categories and annotations.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace tyto::apps {

// A whole number, however it is written (1, 1.0, true), or a text. Numbers are ordered by value, texts by
// their bytes.
using CocoId = std::variant<int64_t, std::string>;

std::string json_of(const CocoId& id);  // 139 or "a139", in messages, too

}  // namespace tyto::apps

#include "weights_converter/checkpoint/pickle_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>

#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"
#include "weights_converter/checkpoint/pickle_stack.h"
#include "weights_converter/checkpoint/pickle_text.h"

namespace tyto {
namespace {

using Op = PickleOpcode;

class Machine {
 public:
  Machine(PickleInput& input, PickleSpace& space)
      : in_(input), space_(space), position_{.origin = input.origin()} {}

  PickleRef run() {
    const uint64_t begin = in_.position();
    for (uint64_t count = 0;; ++count) {
      position_.at = in_.position();
      if (position_.at - begin > limits::kMaxPickleBytes || count > limits::kMaxPickleOpcodes)
        fail(fmt::format("more than {} bytes or {} opcodes", limits::kMaxPickleBytes,
                         limits::kMaxPickleOpcodes));
      position_.opcode = static_cast<Op>(in_.byte());
      if (position_.opcode == Op::STOP) return pop();
      step();
    }
  }

 private:
  [[noreturn]] void fail(const std::string& why) const { position_.fail(why); }

  template <class T>
  PickleRef make(T&& value) {
    if (space_.heap.size() >= limits::kMaxPickleValues)
      fail(fmt::format("more than {} values", limits::kMaxPickleValues));
    return &space_.heap.emplace_back(std::forward<T>(value));
  }

  template <class T>
  void push_new(T&& value) {
    stack_.push(make(std::forward<T>(value)));
  }

  uint64_t index_from_line() {
    const std::string line = in_.line();
    uint64_t index = 0;
    const auto [end, status] = std::from_chars(line.data(), line.data() + line.size(), index);
    if (status != std::errc() || end != line.data() + line.size()) fail("a memo index is no number");
    return index;
  }

  // --- calls, none of which takes place

  void check_name(std::string_view owner, std::string_view name) const {
    if (owner.size() > limits::kMaxLineBytes || name.size() > limits::kMaxLineBytes)
      fail(fmt::format("a global's name exceeds {} bytes", limits::kMaxLineBytes));
  }

  void push_named(std::string_view full) {
    if (space_.globals.size() > limits::kMaxGlobals)
      fail(fmt::format("more than {} globals named", limits::kMaxGlobals));
    push_new(PickleGlobal{full});
  }

  void push_global(const std::string& module, const std::string& name) {
    check_name(module, name);
    push_named(space_.globals.named(module, name));
  }

  // What becomes part of something else: there getattr is no spelling of a name any more.
  PickleRef used(PickleRef value) {
    if (const auto* global = value->as<PickleGlobal>(); global && is_getattr(global->name))
      space_.globals.passed_on(global->name);
    return value;
  }
  PickleItems used(PickleItems values) {
    for (PickleRef value : values) used(value);
    return values;
  }
  PickleRef pop() { return used(stack_.pop()); }
  PickleItems pop_last(size_t count) { return used(stack_.pop_last(count)); }
  PickleItems pop_mark() { return used(stack_.pop_mark()); }

  void push_stack_global() {
    const PickleItems names = stack_.pop_last(2);
    const auto *module = names[0]->as<PickleText>(), *name = names[1]->as<PickleText>();
    if (!module || !name) fail("the names of a global are no strings");
    push_global(module->text, name->text);
  }

  // getattr(global or object of it, "name") is how protocol 2 spells a member of a class, and all protocols a
  // method bound to an object: it stands for the dotted name.
  bool push_member(const PickleGlobal& callable, const PickleItems& arguments) {
    if (!is_getattr(callable.name) || arguments.size() != 2) return false;
    const auto* global = arguments[0]->as<PickleGlobal>();
    const std::string_view owner = global ? global->name : class_of(*arguments[0]);
    const auto* name = arguments[1]->as<PickleText>();
    if (owner.empty() || is_getattr(owner) || !name || name->text.empty()) return false;
    check_name(owner, name->text);
    push_named(space_.globals.member(owner, name->text));
    return true;
  }

  void push_call(PickleRef callable, PickleRef arguments) {
    if (const auto* global = callable->as<PickleGlobal>()) {
      const auto& items = arguments->as<PickleTuple>()->items;
      if (push_member(*global, items)) return;
      space_.globals.called(global->name);
      if (auto dict = as_dict(global->name, items)) return push_new(std::move(*dict));
    } else if (!callable->as<PicklePersistent>() && !callable->as<PickleObject>()) {
      fail(fmt::format("{} cannot be called", kind_of(*callable)));
    }
    push_new(PickleObject{.callable = callable, .arguments = arguments});
  }

  // Dicts that the pickle makes by a call, for they are filled by SETITEMS later. A Counter is made from a
  // dict; Python 2 passed an OrderedDict's content as a list of [key, value] lists.
  std::optional<PickleDict> as_dict(std::string_view callable, const PickleItems& arguments) {
    if (callable == "collections.defaultdict") return PickleDict{};
    if (callable != "collections.OrderedDict" && callable != "builtins.dict" &&
        callable != "__builtin__.dict" && callable != "collections.Counter")
      return std::nullopt;
    PickleDict dict;
    if (arguments.empty()) return dict;
    const PicklePairs* pairs = pairs_of(*arguments[0]);
    const PickleItems* items = items_of(*arguments[0]);
    if (!pairs && !items) return std::nullopt;
    if ((copied_ += pairs ? pairs->size() : items->size()) > limits::kMaxPickleValues)
      fail(fmt::format("dicts made from more than {} entries", limits::kMaxPickleValues));
    if (pairs) {
      dict.pairs = *pairs;
      return dict;
    }
    for (PickleRef entry : *items) {
      const PickleItems* pair = items_of(*entry);
      if (!pair || pair->size() != 2) return std::nullopt;
      dict.pairs.emplace_back((*pair)[0], (*pair)[1]);
    }
    return dict;
  }

  PickleRef pop_arguments() {
    PickleRef arguments = pop();
    if (!arguments->as<PickleTuple>()) fail(fmt::format("{} as arguments of a call", kind_of(*arguments)));
    return arguments;
  }

  void reduce() {
    PickleRef arguments = pop_arguments();
    push_call(stack_.pop(), arguments);
  }

  void new_object_with_keywords() {
    pop();  // the keywords: no tensor is made with any
    reduce();
  }

  // INST names its class in two lines, OBJ finds it below its arguments.
  void instance() {
    const std::string module = in_.line(), name = in_.line();
    PickleRef arguments = make(PickleTuple{pop_mark()});
    push_global(module, name);
    push_call(stack_.pop(), arguments);
  }

  void object() {
    PickleItems items = pop_mark();
    if (items.empty()) fail("there is no class");
    PickleRef callable = items.front();
    items.erase(items.begin());
    push_call(callable, make(PickleTuple{std::move(items)}));
  }

  void build() {
    PickleRef state = pop();
    PickleRef target = stack_.top();
    if (auto* object = target->as<PickleObject>())
      object->state = state;
    else if (!target->as<PickleDict>())  // a state_dict's '_metadata': ignored
      fail(fmt::format("a state for {}", kind_of(*target)));
  }

  // --- filling containers

  static bool is_tensor_or_storage(const PickleValue& value) {
    const std::string_view made_by = class_of(value);
    return made_by.starts_with("torch._utils._rebuild_") ||
           (made_by.starts_with("torch.") && (made_by.ends_with("Tensor") || made_by.ends_with("Storage")));
  }

  PicklePairs& pairs_below() {
    PickleRef target = stack_.top();
    if (auto* dict = target->as<PickleDict>()) return dict->pairs;
    if (auto* object = target->as<PickleObject>(); object && !is_tensor_or_storage(*target))
      return object->pairs;
    fail(fmt::format("an item set in {}, which is no dict", kind_of(*target)));
  }

  void set_items(const PickleItems& items) {
    if (items.size() % 2 != 0) fail("a key without a value");
    PicklePairs& pairs = pairs_below();
    for (size_t i = 0; i < items.size(); i += 2) pairs.emplace_back(items[i], items[i + 1]);
  }

  void append(const PickleItems& items) {
    PickleRef target = stack_.top();
    if (auto* list = target->as<PickleList>())
      list->items.insert(list->items.end(), items.begin(), items.end());
    else if (!target->as<PickleObject>() ||
             is_tensor_or_storage(*target))  // a deque's items are inert: dropped
      fail(fmt::format("an item appended to {}, which is no list", kind_of(*target)));
  }

  void add_to_set() {
    const PickleItems items = pop_mark();
    auto* set = stack_.top()->as<PickleSet>();
    if (!set && stack_.top()->as<PickleObject>()) return;  // a subclass's items are inert: dropped
    if (!set) fail(fmt::format("an item added to {}, which is no set", kind_of(*stack_.top())));
    set->items.insert(set->items.end(), items.begin(), items.end());
  }

  PickleDict dict_from(const PickleItems& items) const {
    if (items.size() % 2 != 0) fail("a key without a value");
    PickleDict dict;
    for (size_t i = 0; i < items.size(); i += 2) dict.pairs.emplace_back(items[i], items[i + 1]);
    return dict;
  }

  // --- literals

  void push_persistent(PickleRef id) {
    push_new(PicklePersistent{id});
    space_.persistent.push_back(stack_.top());
  }

  void push_number_from_line() {
    const std::string line = in_.line();
    if (position_.opcode == Op::INT && (line == "00" || line == "01")) return push_new(line == "01");
    const auto value = parse_pickle_integer(line);
    if (!value) fail("a number that is none");
    push_new(*value);
  }

  void push_float_from_line() {
    const auto value = parse_pickle_float(in_.line());
    if (!value) fail("a number that is none");
    push_new(*value);
  }

  void push_long(uint64_t bytes) {
    if (bytes > limits::kMaxKeptTextBytes) fail(fmt::format("a number of {} bytes", bytes));
    push_new(pickle_long(in_.text(bytes)));
  }

  void push_text(uint64_t bytes) {
    const PickleRange range{.begin = in_.position(), .bytes = bytes, .utf8 = true};
    push_new(PickleText{in_.text(bytes), range});
  }

  void push_latin1(uint64_t bytes) {
    const PickleRange range{.begin = in_.position(), .bytes = bytes};
    push_new(PickleText{latin1_to_utf8(in_.text(bytes)), range});
  }

  void push_bytes(uint64_t bytes) {
    const PickleRange range{.begin = in_.position(), .bytes = bytes};
    in_.skip(bytes);
    push_new(PickleBytes{range});
  }

  void protocol() {
    constexpr int kNewestProtocol = 5;
    if (const int version = in_.byte(); version > kNewestProtocol)
      fail(fmt::format("pickle protocol {} is newer than {}", version, kNewestProtocol));
  }

  void string_from_line() {
    const auto text = unquote_pickle_string(in_.line());
    if (!text) fail("a string without quotes");
    push_new(PickleText{latin1_to_utf8(*text)});
  }

  void step();
  bool step_literal();
  bool step_container();

  PickleInput& in_;
  PickleSpace& space_;
  PicklePosition position_;
  uint64_t copied_ = 0;  // entries of lists that became dicts: one list may become many
  PickleStack stack_{position_};
};

// One opcode a line.
// clang-format off

// Opcodes that push a value of their own. False for others.
bool Machine::step_literal() {
  switch (position_.opcode) {
    case Op::NONE: push_new(PickleNone{}); break;
    case Op::NEWTRUE: push_new(true); break;
    case Op::NEWFALSE: push_new(false); break;
    case Op::INT: push_number_from_line(); break;
    case Op::LONG: push_number_from_line(); break;
    case Op::FLOAT: push_float_from_line(); break;
    case Op::BININT: push_new(int64_t{in_.little_endian<int32_t>()}); break;
    case Op::BININT1: push_new(int64_t{in_.byte()}); break;
    case Op::BININT2: push_new(int64_t{in_.little_endian<uint16_t>()}); break;
    case Op::LONG1: push_long(in_.byte()); break;
    case Op::LONG4: push_long(in_.little_endian<uint32_t>()); break;
    case Op::BINFLOAT: push_new(std::bit_cast<double>(__builtin_bswap64(in_.little_endian<uint64_t>()))); break;
    case Op::STRING: string_from_line(); break;
    case Op::BINSTRING: push_latin1(in_.little_endian<uint32_t>()); break;
    case Op::SHORT_BINSTRING: push_latin1(in_.byte()); break;
    case Op::UNICODE: push_new(PickleText{in_.line()}); break;
    case Op::BINUNICODE: push_text(in_.little_endian<uint32_t>()); break;
    case Op::SHORT_BINUNICODE: push_text(in_.byte()); break;
    case Op::BINUNICODE8: push_text(in_.little_endian<uint64_t>()); break;
    case Op::BINBYTES: push_bytes(in_.little_endian<uint32_t>()); break;
    case Op::SHORT_BINBYTES: push_bytes(in_.byte()); break;
    case Op::BINBYTES8: push_bytes(in_.little_endian<uint64_t>()); break;
    case Op::BYTEARRAY8: push_bytes(in_.little_endian<uint64_t>()); break;
    default:
      return false;
  }
  return true;
}

// Opcodes that make or fill a container. False for others.
bool Machine::step_container() {
  switch (position_.opcode) {
    case Op::EMPTY_TUPLE: push_new(PickleTuple{}); break;
    case Op::TUPLE1: push_new(PickleTuple{pop_last(1)}); break;
    case Op::TUPLE2: push_new(PickleTuple{pop_last(2)}); break;
    case Op::TUPLE3: push_new(PickleTuple{pop_last(3)}); break;
    case Op::TUPLE: push_new(PickleTuple{pop_mark()}); break;
    case Op::EMPTY_LIST: push_new(PickleList{}); break;
    case Op::LIST: push_new(PickleList{pop_mark()}); break;
    case Op::APPEND: append(pop_last(1)); break;
    case Op::APPENDS: append(pop_mark()); break;
    case Op::EMPTY_DICT: push_new(PickleDict{}); break;
    case Op::DICT: push_new(dict_from(pop_mark())); break;
    case Op::SETITEM: set_items(pop_last(2)); break;
    case Op::SETITEMS: set_items(pop_mark()); break;
    case Op::EMPTY_SET: push_new(PickleSet{}); break;
    case Op::ADDITEMS: add_to_set(); break;
    case Op::FROZENSET: push_new(PickleSet{pop_mark()}); break;
    default:
      return false;
  }
  return true;
}

void Machine::step() {
  if (step_literal() || step_container()) return;
  switch (position_.opcode) {
    case Op::PROTO: protocol(); break;
    case Op::FRAME: in_.little_endian<uint64_t>(); break;  // a hint for buffering
    case Op::MARK: stack_.mark(); break;
    case Op::POP: stack_.drop(); break;
    case Op::POP_MARK: stack_.pop_mark(); break;
    case Op::DUP: stack_.push(stack_.top()); break;
    case Op::GET: stack_.get(index_from_line()); break;
    case Op::BINGET: stack_.get(in_.byte()); break;
    case Op::LONG_BINGET: stack_.get(in_.little_endian<uint32_t>()); break;
    case Op::PUT: stack_.put(index_from_line()); break;
    case Op::BINPUT: stack_.put(in_.byte()); break;
    case Op::LONG_BINPUT: stack_.put(in_.little_endian<uint32_t>()); break;
    case Op::MEMOIZE: stack_.put_next(); break;
    case Op::GLOBAL: {
      const std::string module = in_.line();
      push_global(module, in_.line());
      break;
    }
    case Op::STACK_GLOBAL: push_stack_global(); break;
    case Op::REDUCE: reduce(); break;
    case Op::NEWOBJ: reduce(); break;
    case Op::NEWOBJ_EX: new_object_with_keywords(); break;
    case Op::INST: instance(); break;
    case Op::OBJ: object(); break;
    case Op::BUILD: build(); break;
    case Op::PERSID: push_persistent(make(PickleText{in_.line()})); break;
    case Op::BINPERSID: push_persistent(pop()); break;
    default:
      fail("this opcode has no place in it");
  }
}

// clang-format on

}  // namespace

PickleRef unpickle(PickleInput& input, PickleSpace& space) { return Machine(input, space).run(); }

}  // namespace tyto

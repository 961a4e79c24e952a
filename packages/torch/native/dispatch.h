// The one way to every ATen operator: look it up in the dispatcher, read the argument words by its schema, call it boxed.
#pragma once

#include "engine.h"

#include <algorithm>
#include <sstream>

namespace emend {

enum Tag {
  NONE = 0, TENSOR = 1, INT = 2, DOUBLE = 3, BOOL = 4, STRING = 5, TENSORS = 6, INTS = 7, DOUBLES = 8, BOOLS = 9,
  DEFAULT = 10, SCALARS = 11, SAME = 12
};

inline Kind kind_of(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType: return Kind::Tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::Int;
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType: return Kind::Double;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType: return Kind::Bool;
    case c10::TypeKind::NumberType: return Kind::Scalar;
    case c10::TypeKind::StringType: return Kind::String;
    case c10::TypeKind::ScalarTypeType: return Kind::DType;
    case c10::TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    case c10::TypeKind::DeviceObjType: return Kind::Device;
    case c10::TypeKind::ListType: {
      const auto& element = type->castRaw<c10::ListType>()->getElementType();
      if (element->kind() == c10::TypeKind::OptionalType) {
        const auto& inner = element->castRaw<c10::OptionalType>()->getElementType();
        if (inner->kind() == c10::TypeKind::NumberType) return Kind::OptionalScalars;
        return inner->kind() == c10::TypeKind::TensorType ? Kind::OptionalTensors : Kind::Unsupported;
      }
      switch (kind_of(element)) {
        case Kind::Tensor: return Kind::Tensors;
        case Kind::Int: return Kind::Ints;
        case Kind::Double: return Kind::Doubles;
        case Kind::Bool: return Kind::Bools;
        case Kind::Scalar: return Kind::Scalars;
        default: return Kind::Unsupported;
      }
    }
    default: return Kind::Unsupported;  // Layout, Generator, Storage, Stream, Dimname: always their default
  }
}

inline Operator describe(c10::OperatorHandle handle) {
  const auto& schema = handle.schema();
  const std::string& path = schema.name();
  const std::string label = path.rfind("aten::", 0) == 0 ? "torch." + path.substr(6) : path;
  Operator op{handle, c10::toString(schema.operator_name()), label, {}, {}};
  for (const auto& a : schema.arguments()) {
    c10::TypePtr type = a.real_type();
    const bool optional = type->kind() == c10::TypeKind::OptionalType;
    if (optional) type = type->castRaw<c10::OptionalType>()->getElementType();
    op.arguments.push_back({kind_of(type), optional, a.N().value_or(0),
                            a.default_value().has_value() ? &*a.default_value() : nullptr, a.name()});
  }
  for (const auto& result : schema.returns()) {
    int same = -1;
    const auto* alias = result.alias_info();
    for (size_t i = 0; alias && alias->isWrite() && i < schema.arguments().size(); ++i) {
      const auto* other = schema.arguments()[i].alias_info();
      if (other && other->isWrite() && other->beforeSets() == alias->beforeSets()) same = static_cast<int>(i);
    }
    op.same.push_back(same);
  }
  return op;
}

// The operator's number in this environment, or -1 when the libtorch at hand has none of that name.
inline int find_operator(Engine& engine, const std::string& name, const std::string& overload) {
  const std::string key = name + "." + overload;
  const auto known = engine.operator_ids.find(key);
  if (known != engine.operator_ids.end()) return known->second;
  const auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!handle) return -1;
  engine.operators.push_back(describe(*handle));
  return engine.operator_ids[key] = static_cast<int>(engine.operators.size()) - 1;
}

inline std::string schema_of(const Operator& op) {
  std::ostringstream out;
  out << op.handle.schema();
  return out.str();
}

// Reads words in order and never past their end, whatever they say.
class Reader {
 public:
  Reader(Engine& engine, const Operator& op, size_t at) : engine_(engine), op_(op), at_(at) {}

  c10::IValue argument(const Argument& a) {
    argument_ = &a;
    const auto tag = static_cast<int>(next());
    if (tag == DEFAULT) {
      if (!a.fallback) wrong("a value");
      return *a.fallback;
    }
    if (tag == NONE) {
      if (!a.optional) wrong("a value, not null");
      return {};
    }
    switch (a.kind) {
      case Kind::Tensor:
        if (tag == TENSOR) return tensor(next());
        break;
      case Kind::Int:
        if (tag == INT) return integer();
        break;
      case Kind::Double:
        if (tag == INT || tag == DOUBLE) return next();
        break;
      case Kind::Bool:
        if (tag == BOOL) return next() != 0;
        break;
      case Kind::Scalar:
        if (tag == INT) return integer();
        if (tag == DOUBLE) return next();
        if (tag == BOOL) return next() != 0;
        break;
      case Kind::String:
        if (tag == STRING) return string();
        break;
      case Kind::DType:
        if (tag == INT) return static_cast<int64_t>(to_dtype(next()));
        break;
      case Kind::MemoryFormat:
        if (tag == INT) {
          const int64_t format = integer();
          if (format >= 0 && format <= 3) return format;
        }
        break;
      case Kind::Device:
        if (tag == STRING) return c10::Device(string());
        break;
      case Kind::Ints:
        if (tag == INTS) return list<int64_t>([this] { return integer(); });
        if (tag == INT && a.length) return std::vector<int64_t>(a.length, integer());
        break;
      case Kind::Doubles:
        if (tag == DOUBLES || tag == INTS) return list<double>([this] { return next(); });
        break;
      case Kind::Bools:
        if (tag == BOOLS) return list<bool>([this] { return next() != 0; });
        break;
      case Kind::Scalars:
        if (tag == SCALARS) return scalars<c10::Scalar>();
        break;
      case Kind::OptionalScalars:
        if (tag == SCALARS) return scalars<std::optional<c10::Scalar>>();
        break;
      case Kind::Tensors:
        if (tag == TENSORS) return list<at::Tensor>([this] { return tensor(next()); });
        break;
      case Kind::OptionalTensors:
        if (tag == TENSORS) {
          return list<std::optional<at::Tensor>>([this]() -> std::optional<at::Tensor> {
            const double handle = next();
            if (handle == 0) return std::nullopt;
            return tensor(handle);
          });
        }
        break;
      case Kind::Unsupported: break;
    }
    wrong("another kind of value");
  }

 private:
  [[noreturn]] void wrong(const char* expected) const {
    throw Misuse(op_.name + ": argument '" + argument_->name + "' must be " + expected);
  }

  double next() {
    if (at_ >= engine_.capacity) throw Misuse(op_.name + ": more argument words than the buffer holds");
    return engine_.words[at_++];
  }

  size_t count() {
    const double n = next();
    if (!(n >= 0 && n <= static_cast<double>(engine_.capacity - at_))) wrong("a list that the buffer holds");
    return static_cast<size_t>(n);
  }

  int64_t integer() { return to_int(next(), argument_->name.c_str()); }

  const at::Tensor& tensor(double handle) const {
    const at::Tensor* found = engine_.handles.find(handle);
    if (!found) throw Misuse("tensor used after it was freed (" + op_.name + ", argument '" + argument_->name + "')");
    return *found;
  }

  const std::string& string() {
    const double id = next();
    if (!(id >= 0 && id < static_cast<double>(engine_.strings.size()))) wrong("an interned string");
    return engine_.strings[static_cast<size_t>(id)];
  }

  template <class T, class F>
  c10::List<T> list(F element) {
    const size_t n = count();
    c10::List<T> out;
    out.reserve(n);
    for (size_t i = 0; i < n; ++i) out.push_back(element());
    return out;
  }

  template <class T>
  c10::List<T> scalars() {
    const size_t n = count();
    c10::List<T> out;
    for (size_t i = 0; i < n; ++i) {
      const bool whole = next() != 0;
      out.push_back(whole ? c10::Scalar(integer()) : c10::Scalar(next()));
    }
    return out;
  }

  Engine& engine_;
  const Operator& op_;
  size_t at_;
  const Argument* argument_ = nullptr;
};

// Writes results where the arguments stood: their count, then each with its tag.
class Writer {
 public:
  Writer(Engine& engine, const Operator& op) : engine_(engine), op_(op) {}

  void results(const torch::jit::Stack& stack) {
    word(static_cast<double>(stack.size()));
    for (size_t i = 0; i < stack.size(); ++i) {
      if (i < op_.same.size() && op_.same[i] >= 0) {
        word(SAME);
        word(op_.same[i]);
      } else {
        value(stack[i]);
      }
    }
  }

  void tensor(const at::Tensor& t) {
    if (!t.defined()) return word(NONE);
    word(TENSOR);
    handle(t);
  }

  void tensors(at::ArrayRef<at::Tensor> list) {
    if (list.size() + 8 > engine_.capacity - at_) throw std::runtime_error(op_.name + ": too many results");
    word(TENSORS);
    word(static_cast<double>(list.size()));
    for (const auto& t : list) t.defined() ? handle(t) : word(0);
  }

 private:
  void word(double value) {
    if (at_ >= engine_.capacity) throw std::runtime_error(op_.name + ": more results than the buffer holds");
    engine_.words[at_++] = value;
  }

  void handle(const at::Tensor& t) { word(engine_.handles.put(t)); }

  void value(const c10::IValue& v) {
    if (v.isTensor()) return tensor(v.toTensor());
    if (v.isNone()) return word(NONE);
    if (v.isInt() || v.isSymInt()) return pair(INT, static_cast<double>(v.isInt() ? v.toInt() : v.toSymInt().expect_int()));
    if (v.isDouble()) return pair(DOUBLE, v.toDouble());
    if (v.isBool()) return pair(BOOL, v.toBool() ? 1 : 0);
    if (v.isTensorList()) return tensors(v.toTensorVector());
    if (v.isIntList()) return numbers(INTS, v.toIntVector());
    if (v.isDoubleList()) return numbers(DOUBLES, v.toDoubleVector());
    throw std::runtime_error(op_.name + ": a result of type " + v.tagKind() + " has no JavaScript form");
  }

  void pair(Tag tag, double v) {
    word(tag);
    word(v);
  }

  template <class T>
  void numbers(Tag tag, const std::vector<T>& list) {
    pair(tag, static_cast<double>(list.size()));
    for (const T v : list) word(static_cast<double>(v));
  }

  Engine& engine_;
  const Operator& op_;
  size_t at_ = 0;
};

// words: operator, number of arguments written (the rest take their defaults), arguments → results.
inline void call(Engine& engine) {
  const double id = engine.words[0];
  if (!(id >= 0 && id < static_cast<double>(engine.operators.size()))) throw Misuse("no such operator");
  const Operator& op = engine.operators[static_cast<size_t>(id)];
  const auto given = static_cast<size_t>(to_int(engine.words[1], "argument count"));
  if (given > op.arguments.size()) throw Misuse(op.name + ": too many arguments");

  auto& stack = engine.stack;
  stack.clear();
  Reader reader(engine, op, 2);
  for (size_t i = 0; i < op.arguments.size(); ++i) {
    const Argument& a = op.arguments[i];
    if (i < given) {
      stack.push_back(reader.argument(a));
    } else if (a.fallback) {
      stack.push_back(*a.fallback);
    } else {
      throw Misuse(op.name + ": argument '" + a.name + "' is missing");
    }
  }
  engine.running = &op;
  op.handle.callBoxed(stack);
  Writer(engine, op).results(stack);
  stack.clear();
}

}  // namespace emend

// The one door to every operator: found by schema name once, then called boxed with tagged values.
#include "shim.h"

#include <ATen/core/Generator.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>

#include <vector>

namespace st {
namespace {

enum class Kind : uint8_t { Plain, Float, Int, Bool, IntList, FloatList, BoolList, TensorList, OptionalTensorList };

/// What one argument of a schema wants, worked out once instead of at every call.
struct Parameter {
  Kind kind;
  bool has_default;
  int32_t length;  // of a fixed-size list such as int[2], else 0
  c10::IValue value;
  std::string name;
};

struct Operator {
  c10::OperatorHandle handle;
  std::vector<Parameter> parameters;
};

Kind kind_of_list(const c10::TypePtr& element) {
  switch (element->kind()) {
    case c10::TypeKind::IntType: return Kind::IntList;
    case c10::TypeKind::FloatType: return Kind::FloatList;
    case c10::TypeKind::BoolType: return Kind::BoolList;
    case c10::TypeKind::TensorType: return Kind::TensorList;
    case c10::TypeKind::OptionalType: return Kind::OptionalTensorList;
    default: return Kind::Plain;
  }
}

Kind kind_of(c10::TypePtr type) {
  if (type->kind() == c10::TypeKind::OptionalType) type = type->castRaw<c10::OptionalType>()->getElementType();
  switch (type->kind()) {
    case c10::TypeKind::IntType: return Kind::Int;
    case c10::TypeKind::FloatType: return Kind::Float;
    case c10::TypeKind::BoolType: return Kind::Bool;
    case c10::TypeKind::ListType: return kind_of_list(type->castRaw<c10::ListType>()->getElementType());
    default: return Kind::Plain;
  }
}

Operator* describe(const c10::OperatorHandle& handle) {
  auto* op = new Operator{handle, {}};
  for (const auto& argument : handle.schema().arguments()) {
    const auto& preset = argument.default_value();
    op->parameters.push_back(Parameter{
        kind_of(argument.type()), preset.has_value(), argument.N() ? static_cast<int32_t>(*argument.N()) : 0,
        preset.has_value() ? *preset : c10::IValue(), argument.name()});
  }
  return op;
}

[[noreturn]] void mismatch(const Parameter& parameter, const char* given) {
  throw std::runtime_error("argument '" + parameter.name + "' cannot take " + given);
}

c10::IValue from_integer(const Parameter& parameter, int64_t value) {
  switch (parameter.kind) {
    case Kind::Float: return static_cast<double>(value);
    case Kind::Bool: return value != 0;
    case Kind::IntList: return c10::IValue(std::vector<int64_t>(parameter.length > 0 ? parameter.length : 1, value));
    case Kind::FloatList: return c10::IValue(std::vector<double>(parameter.length > 0 ? parameter.length : 1, static_cast<double>(value)));
    default: return value;
  }
}

c10::IValue from_double(const Parameter& parameter, double value) {
  switch (parameter.kind) {
    case Kind::FloatList: return c10::IValue(std::vector<double>(parameter.length > 0 ? parameter.length : 1, value));
    case Kind::Int:
    case Kind::Bool:
    case Kind::IntList: mismatch(parameter, "a floating-point number");
    default: return value;
  }
}

c10::IValue from_bool(const Parameter& parameter, bool value) {
  switch (parameter.kind) {
    case Kind::Float: return value ? 1.0 : 0.0;
    case Kind::Int: return static_cast<int64_t>(value);
    default: return value;
  }
}

c10::IValue from_integers(const Parameter& parameter, const Value& value) {
  if (parameter.kind == Kind::FloatList) return c10::IValue(std::vector<double>(value.integers, value.integers + value.count));
  if (parameter.kind != Kind::IntList) mismatch(parameter, "a list of integers");
  c10::List<int64_t> list;
  list.reserve(value.count);
  for (int k = 0; k < value.count; k++) list.push_back(value.integers[k]);
  return list;
}

c10::IValue from_bools(const Value& value) {
  c10::List<bool> list;
  list.reserve(value.count);
  for (int k = 0; k < value.count; k++) list.push_back(value.integers[k] != 0);
  return list;
}

c10::IValue from_tensors(const Parameter& parameter, const Value& value) {
  if (parameter.kind == Kind::OptionalTensorList) {
    c10::List<Optional<at::Tensor>> list;
    list.reserve(value.count);
    for (int k = 0; k < value.count; k++)
      list.push_back(value.pointers[k] ? Optional<at::Tensor>(borrow(value.pointers[k])) : Optional<at::Tensor>());
    return list;
  }
  if (parameter.kind != Kind::TensorList) mismatch(parameter, "a list of tensors");
  c10::List<at::Tensor> list;
  list.reserve(value.count);
  for (int k = 0; k < value.count; k++) list.push_back(value.pointers[k] ? borrow(value.pointers[k]) : at::Tensor());
  return list;
}

c10::IValue unpack(const Parameter& parameter, const Value& value) {
  switch (value.tag) {
    case kNone: return {};
    case kTensor: return borrow(value.pointer);
    case kInt: return from_integer(parameter, value.integer);
    case kDouble: return from_double(parameter, value.real);
    case kBool: return from_bool(parameter, value.integer != 0);
    case kInts: return from_integers(parameter, value);
    case kDoubles: return c10::IValue(std::vector<double>(value.reals, value.reals + value.count));
    case kBools: return from_bools(value);
    case kTensors: return from_tensors(parameter, value);
    case kString: return std::string(value.text, value.count);
    case kDevice: return to_device(value.integer);
    case kGenerator: return *static_cast<at::Generator*>(value.pointer);
    default: throw std::runtime_error("value of unknown tag " + std::to_string(value.tag));
  }
}

void push_arguments(torch::jit::Stack& stack, const Operator& op, const Value* arguments, int count) {
  const size_t wanted = op.parameters.size();
  if (static_cast<size_t>(count) > wanted)
    throw std::runtime_error("takes " + std::to_string(wanted) + " arguments, got " + std::to_string(count));
  stack.reserve(wanted);
  for (size_t k = 0; k < wanted; k++) {
    const auto& parameter = op.parameters[k];
    if (static_cast<int>(k) < count && arguments[k].tag == kTensor) {
      stack.emplace_back(borrow(arguments[k].pointer));
    } else if (static_cast<int>(k) < count && arguments[k].tag != kDefault) {
      stack.push_back(unpack(parameter, arguments[k]));
    } else if (parameter.has_default) {
      stack.push_back(parameter.value);
    } else {
      throw std::runtime_error("argument '" + parameter.name + "' is missing and has no default");
    }
  }
}

Value tensor_value(at::Tensor tensor) {
  Value value{};
  value.tag = tensor.defined() ? kTensor : kNone;
  value.pointer = give(std::move(tensor));
  return value;
}

Value pack(c10::IValue&& source) {
  if (source.isTensor()) return tensor_value(std::move(source).toTensor());
  Value value{};
  if (source.isInt()) {
    value.tag = kInt;
    value.integer = source.toInt();
  } else if (source.isDouble()) {
    value.tag = kDouble;
    value.real = source.toDouble();
  } else if (source.isBool()) {
    value.tag = kBool;
    value.integer = source.toBool();
  } else if (!source.isNone()) {
    throw std::runtime_error("a result of kind " + source.tagKind() + " cannot cross the border");
  }
  return value;
}

// Reused by every call of a thread. It is moved out while in use, so that a call inside a callback finds none and makes its own.
thread_local torch::jit::Stack spare_stack;
// Results that did not fit into the caller's buffer; st_results hands them over.
thread_local std::vector<Value> spilled;

void pack_all(torch::jit::Stack& stack, std::vector<Value>& out) {
  for (auto& result : stack) {
    if (result.isTensorList()) {
      for (at::Tensor tensor : result.toTensorVector()) out.push_back(tensor_value(std::move(tensor)));
    } else {
      out.push_back(pack(std::move(result)));
    }
  }
}

void collect(torch::jit::Stack& stack, Value* results, int capacity, int* count) {
  if (capacity == 0) {
    *count = 0;  // the caller changed a tensor in place and wants nothing back
  } else if (stack.size() == 1 && stack[0].isTensor()) {
    results[0] = tensor_value(std::move(stack[0]).toTensor());
    *count = 1;
  } else {
    std::vector<Value> all;
    try {
      pack_all(stack, all);
    } catch (...) {
      for (const auto& value : all)
        if (value.tag == kTensor) take(value.pointer);
      throw;
    }
    *count = static_cast<int>(all.size());
    if (*count > capacity) {
      spilled = std::move(all);
    } else {
      std::copy(all.begin(), all.end(), results);
    }
  }
}

}  // namespace
}  // namespace st

/// Finds an operator by qualified name ("aten::add") and overload ("Tensor"). The handle lives as long as the process.
ST_EXPORT int st_operator(const char* name, const char* overload, void** out) {
  return st::guarded([&] { *out = st::describe(c10::Dispatcher::singleton().findSchemaOrThrow(name, overload)); });
}

/// 1 when this libtorch knows the operator.
ST_EXPORT int st_has_operator(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchema({name, overload}).has_value() ? 1 : 0;
}

/// Calls an operator. Missing trailing arguments take the schema's defaults. With a capacity of 0 the results are dropped;
/// when *count comes back above the capacity, nothing was written and st_results hands them over.
ST_EXPORT int st_call(void* handle, const st::Value* arguments, int n, st::Value* results, int capacity, int* count) {
  torch::jit::Stack stack = std::move(st::spare_stack);
  stack.clear();
  const int status = st::guarded([&] {
    const auto& op = *static_cast<const st::Operator*>(handle);
    st::push_arguments(stack, op, arguments, n);
    op.handle.callBoxed(&stack);
    st::collect(stack, results, capacity, count);
  });
  stack.clear();
  st::spare_stack = std::move(stack);
  return status;
}

/// Copies the results that the last st_call of this thread could not fit; the buffer holds what *count said.
ST_EXPORT void st_results(st::Value* results) {
  std::copy(st::spilled.begin(), st::spilled.end(), results);
  st::spilled.clear();
}

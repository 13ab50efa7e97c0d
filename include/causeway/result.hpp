// Result<T>: a value, or an Error with its text. Nothing throws, except value() on an error.
#pragma once

#include <causeway/abi/status.hpp>
#include <stdexcept>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace causeway {

using ErrorCode = abi::Error;
using Status = abi::Status;

struct Error {
    ErrorCode code{};
    std::string text;  // what was wrong, with the value, and what to do
};

// Thrown by Result::value() where there is an error instead; what() is its text.
class BadResult : public std::runtime_error {
public:
    explicit BadResult(const Error& error) : std::runtime_error(error.text), code_(error.code) {}
    [[nodiscard]] ErrorCode code() const noexcept { return code_; }

private:
    ErrorCode code_;
};

// An expected type; value() throws BadResult.
template<typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
    using Base = tl::expected<T, Error>;
    using Base::Base;

    [[nodiscard]] T& value() & { return *checked(); }
    [[nodiscard]] const T& value() const& { return *checked(); }
    [[nodiscard]] T value() && { return std::move(*checked()); }

private:
    Base& checked() {
        if (!this->has_value())
            throw BadResult(this->error());
        return *this;
    }
    const Base& checked() const {
        if (!this->has_value())
            throw BadResult(this->error());
        return *this;
    }
};

template<>
class [[nodiscard]] Result<void> : public tl::expected<void, Error> {
public:
    using Base = tl::expected<void, Error>;
    using Base::Base;

    void value() const {
        if (!has_value())
            throw BadResult(error());
    }
};

}  // namespace causeway

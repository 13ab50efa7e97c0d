// Result<T>: a value, or an Error with its text. Nothing throws, except value() on an error.
#pragma once

#include <causeway/abi/status.hpp>
#include <stdexcept>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace causeway {

// What kind of error a call ended with; name() gives its name.
using ErrorCode = abi::Error;
// How a descriptor ended; name() gives its name.
using Status = abi::Status;

// Why a call failed.
struct Error {
    // For a program to act on.
    ErrorCode code{};
    std::string text;  // what was wrong, with the value, and what to do
};

// Thrown by Result::value() where there is an error instead; what() is its text.
class BadResult : public std::runtime_error {
public:
    // With the code and text of `error`.
    explicit BadResult(const Error& error) : std::runtime_error(error.text), code_(error.code) {}
    // The code of the error.
    [[nodiscard]] ErrorCode code() const noexcept { return code_; }

private:
    ErrorCode code_;
};

// An expected type; value() throws BadResult.
template<typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
    // What it adds value() to.
    using Base = tl::expected<T, Error>;
    using Base::Base;

    // The value. Throws BadResult if there is an error instead.
    [[nodiscard]] T& value() & { return *checked(); }
    // The value. Throws BadResult if there is an error instead.
    [[nodiscard]] const T& value() const& { return *checked(); }
    // The value, moved out. Throws BadResult if there is an error instead.
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

// Success without a value, or an error.
template<>
class [[nodiscard]] Result<void> : public tl::expected<void, Error> {
public:
    // What it adds value() to.
    using Base = tl::expected<void, Error>;
    using Base::Base;

    // Throws BadResult if there is an error.
    void value() const {
        if (!has_value())
            throw BadResult(error());
    }
};

}  // namespace causeway

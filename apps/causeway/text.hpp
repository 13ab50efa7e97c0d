// Numbers and tables as people read them.
//
// Threading: all functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace causeway::cli {

// "4096", "64K", "1M", "2G" (powers of 1024; also "64KiB") -> bytes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

// "a,b,c" -> numbers.
[[nodiscard]] Result<std::vector<unsigned>> parse_numbers(std::string_view text);

// 1536 -> "1.5 KiB".
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
// 1500 -> "1.5 us".
[[nodiscard]] std::string human_ns(std::uint64_t ns);

// A text out of a fixed array of a statistics row.
template<std::size_t N>
[[nodiscard]] std::string_view array_text(const char (&array)[N]) {
    const std::string_view all(array, N);
    return all.substr(0, all.find('\0'));
}

// Columns as wide as their widest cell; numbers to the right.
class Table {
public:
    enum class Align { left, right };
    struct Column {
        std::string title;
        Align align = Align::left;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    // One cell for each column.
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    // Every line ends with a newline and begins with `indent` blanks.
    [[nodiscard]] std::string text(std::size_t indent = 0) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace causeway::cli

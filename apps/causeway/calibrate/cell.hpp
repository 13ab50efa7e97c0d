// What is measured, and what came of it: plain data.
//
// A cell is one situation: a size, how many buffers rotate, and whether the receiver reads. Every
// copy kernel is measured in every cell, in each regime that the machine happens to be in: a
// virtual machine's cores move between cache domains, and a cache line then takes 250 ns from one
// to the other instead of 50.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/copy.hpp"

namespace causeway::calibrate {

enum class Touch { read, none };  // does the receiver read every byte?

struct Cell {
    std::uint64_t size = 0;  // bytes of a message
    std::uint64_t buffers = 0;
    Touch touch = Touch::read;

    [[nodiscard]] std::uint64_t rotation() const noexcept { return size * buffers; }
};

// GB/s (10^9 bytes): of the whole, and of the sender while it copied.
struct Rates {
    double rate = 0;
    double pace = 0;
};

struct Sample {
    std::size_t cell = 0;
    std::size_t kernel = 0;
    Rates rates{};
    double bounce = 0;  // ns, around it
};

struct Figure {
    Rates rates{};  // medians
    std::size_t samples = 0;
};

// Figures of one regime by cell and kernel.
struct Regime {
    double bounce = 0;  // ns from core to core, median
    double share = 0;   // of all samples: 0 to 1
    std::size_t samples = 0;
    std::vector<std::vector<std::optional<Figure>>> figures;

    [[nodiscard]] bool complete(std::size_t cell) const {
        for (const auto& figure : figures[cell]) {
            if (!figure.has_value())
                return false;
        }
        return true;
    }
};

struct Measured {
    std::vector<engine::CopyKernel> kernels;
    std::vector<Cell> cells;
    std::vector<Regime> regimes;  // the quickest first

    // Cells of which some regime has a figure for every kernel.
    [[nodiscard]] std::size_t complete_cells() const {
        std::size_t count = 0;
        for (std::size_t cell = 0; cell < cells.size(); ++cell) {
            const bool any = std::any_of(regimes.begin(), regimes.end(), [&](const Regime& regime) {
                return regime.complete(cell);
            });
            count += any ? 1 : 0;
        }
        return count;
    }
};

}  // namespace causeway::calibrate

// The journal: what every partition has, in a mapped file that outlives the daemon. Its successor
// finds there whom it may expect and what belongs to whom; nothing that a client says adds to it.
//
// A process that dies leaves every store that it has made in the file, so a plain store is all that
// an entry costs: nothing is flushed, and a crash of the machine ends all partitions with it.
//
// Threading: control thread; atomics inside the cells also by movers.
// Ownership: owns file and mapping. Cells stay where they are until they are freed.
//
// Invariants:
//  1. Room is allocated before a cell is handed out: a full disk is an error of add(), never a
//     fault.
//  2. A file of another boot, format or owner is not read.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "adapter/journal_cells.hpp"
#include "adapter/runtime_directory.hpp"
#include "base/result.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"

namespace causeway::adapter {

// Numbers that are given out once, also by the next daemon; and what it has to keep.
struct JournalNumbers {
    std::uint32_t last_session;
    std::uint32_t last_queue_pair;
    std::uint32_t last_network_id;
    std::uint32_t last_bell;
    std::uint32_t movers;
};

class Journal {
public:
    // The journal of the runtime directory. What cannot be used there is replaced by an empty one;
    // `complaint` says why, if that was more than its absence.
    // Errors: no_memory (no room), denied and the like.
    [[nodiscard]] static Result<std::unique_ptr<Journal>> open(int directory,
                                                               std::string& complaint);
    // One that nobody finds: for a daemon that is not to be resumed.
    [[nodiscard]] static Result<std::unique_ptr<Journal>> in_memory();

    // Does it outlive the daemon?
    [[nodiscard]] bool lasting() const noexcept { return file_.valid(); }
    [[nodiscard]] JournalNumbers& numbers() noexcept;

    // A cell of `session`, zero but for its head, and not yet valid: fill it in, then publish().
    // Errors: no_memory.
    template<typename Cell>
    [[nodiscard]] Result<Cell*> add(std::uint32_t session) {
        CW_TRY_ASSIGN(CellHead * head, take());
        auto* cell = reinterpret_cast<Cell*>(head);
        std::memset(static_cast<void*>(cell), 0, sizeof *cell);
        cell->head.session = session;
        return cell;
    }
    template<typename Cell>
    static void publish(Cell* cell) noexcept {
        cell->head.kind.store(static_cast<std::uint32_t>(Cell::kKind), std::memory_order_release);
    }
    // Null is allowed.
    template<typename Cell>
    void free(Cell* cell) noexcept {
        if (cell != nullptr)
            give_back(cell->head);
    }

    // Not there any more for who reads the journal, but not to be reused before free().
    template<typename Cell>
    static void invalidate(Cell* cell) noexcept {
        cell->head.kind.store(0, std::memory_order_release);
    }

    // All valid cells of one kind, in the order of the file.
    template<typename Cell>
    [[nodiscard]] std::vector<Cell*> all() {
        std::vector<Cell*> found;
        for (std::size_t i = 1; i < cells_; ++i) {
            CellHead& head = *cell(i);
            if (head.kind.load(std::memory_order_acquire) ==
                static_cast<std::uint32_t>(Cell::kKind))
                found.push_back(reinterpret_cast<Cell*>(&head));
        }
        return found;
    }
    // Frees all cells of sessions that `keep` says no to, and of kinds that are not known.
    template<typename F>
    void sweep(F&& keep) {
        for (std::size_t i = 1; i < cells_; ++i) {
            CellHead& head = *cell(i);
            const std::uint32_t kind = head.kind.load(std::memory_order_acquire);
            if (kind == 0)
                continue;
            if (kind > static_cast<std::uint32_t>(CellKind::segment) || !keep(head.session))
                give_back(head);
        }
    }

private:
    Journal(platform::UniqueFd file, platform::Mapping range) noexcept
        : file_(std::move(file)), range_(std::move(range)) {}
    [[nodiscard]] Result<CellHead*> take();
    void give_back(CellHead& head) noexcept;
    [[nodiscard]] Result<void> grow_to(std::uint64_t size);
    [[nodiscard]] CellHead* cell(std::size_t i) const noexcept {
        return range_.at<CellHead>(i * kCellSize);
    }

    platform::UniqueFd file_;    // none: in memory
    platform::UniqueFd memory_;  // then
    platform::Mapping range_;    // addresses for the largest journal
    std::size_t cells_ = 0;
    std::vector<std::uint32_t> free_;
};

}  // namespace causeway::adapter

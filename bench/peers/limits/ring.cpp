#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "limits.hpp"
#include "perf/stream_endpoint.hpp"
#include "platform/cpu.hpp"
#include "platform/mapping.hpp"
#include "platform/memfd.hpp"

namespace causeway::bench {
namespace {

using namespace perf;

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kLine = 64;
constexpr unsigned kTriesPerLook = 1 << 20;

// A message's line: the number of the message that lies in it or behind it, from 1 on.
struct alignas(kLine) Cell {
    std::atomic<std::uint64_t> number;
    std::byte data[kRingInline];
};
static_assert(sizeof(Cell) == kLine);

struct alignas(2 * kLine) Head {
    std::atomic<std::uint64_t> released;  // messages that the receiver is done with
};

// One direction, in memory that the receiver made.
struct Lane {
    Lane(platform::Mapping memory, const Plan& plan)
        : mapping(std::move(memory)),
          head(mapping.at<Head>()),
          cells(mapping.at<Cell>(sizeof(Head))),
          buffers(plan.buffers),
          size(plan.size),
          stride(stride_of(plan)),
          data(mapping.data() + data_at(plan)) {}

    static std::size_t stride_of(const Plan& plan) {
        const std::size_t unit = plan.size >= kPageBytes ? kPageBytes : kLine;
        return (plan.size + unit - 1) / unit * unit;
    }
    static std::size_t data_at(const Plan& plan) {
        const std::size_t cells_end = sizeof(Head) + plan.buffers * sizeof(Cell);
        return (cells_end + kPageBytes - 1) / kPageBytes * kPageBytes;
    }
    static std::size_t bytes(const Plan& plan) {
        const std::size_t all = data_at(plan) + plan.buffers * stride_of(plan);
        return (all + kPageBytes - 1) / kPageBytes * kPageBytes;
    }
    [[nodiscard]] std::byte* place(std::uint32_t slot) const {
        return size <= kRingInline ? cells[slot].data : data + slot * stride;
    }

    platform::Mapping mapping;
    Head* head;
    Cell* cells;
    std::uint32_t buffers;
    std::size_t size;
    std::size_t stride;
    std::byte* data;
    std::uint64_t number = 0;  // of the last message sent, or received, at this end
    std::uint32_t slot = 0;    // of the next
    std::uint64_t known = 0;   // of what the other end wrote into head

    void step() {
        ++number;
        slot = slot + 1 == buffers ? 0 : slot + 1;
    }
};

template<typename F>
Result<void> spin_until(F&& ready) {
    std::uint64_t since = 0;
    for (unsigned tries = 1; !ready(); ++tries) {
        platform::cpu_relax();
        if (tries % kTriesPerLook != 0)
            continue;
        const std::uint64_t now = platform::monotonic_ns();
        since = since == 0 ? now : since;
        if (now - since > static_cast<std::uint64_t>(std::chrono::nanoseconds(kPatience).count()))
            return fail(ErrorCode::timed_out, "the other end of the hand-made ring stands still");
    }
    return {};
}

class RingEndpoint final : public Endpoint {
public:
    RingEndpoint(Kernel kernel, const Plan& plan, Lane in, Lane out, platform::Mapping outgoing)
        : kernel_(kernel),
          size_(plan.size),
          release_every_(std::max(1U, plan.buffers / 4)),
          in_(std::move(in)),
          out_(std::move(out)),
          outgoing_(std::move(outgoing)) {}

    std::span<std::byte> buffer(std::uint32_t slot) override {
        return {outgoing_.data() + slot * out_.stride, size_};
    }

    Result<void> submit(std::uint32_t slot) override {
        // SYNC(ring_room): pairs with release(). A cell or buffer is written again only after the
        // receiver's last look at it.
        if (out_.number - out_.known >= out_.buffers) {
            CW_TRY(spin_until([&] {
                out_.known = out_.head->released.load(std::memory_order_acquire);
                return out_.number - out_.known < out_.buffers;
            }));
        }
        Cell& cell = out_.cells[out_.slot];
        copy_with(size_ <= kRingInline ? Kernel::cached : kernel_, out_.place(out_.slot),
                  outgoing_.data() + slot * out_.stride, size_);
        // SYNC(ring_cell): pairs with receive(). The number must not be seen before the bytes.
        cell.number.store(out_.number + 1, std::memory_order_release);
        out_.step();
        return {};
    }
    Result<void> complete() override { return {}; }

    Result<std::span<std::byte>> receive() override {
        const Cell& cell = in_.cells[in_.slot];
        const std::uint64_t wanted = in_.number + 1;
        // SYNC(ring_cell): pairs with submit().
        if (cell.number.load(std::memory_order_acquire) != wanted)
            CW_TRY(
                spin_until([&] { return cell.number.load(std::memory_order_acquire) == wanted; }));
        std::byte* const place = in_.place(in_.slot);
        in_.step();
        return std::span(place, size_);
    }
    Result<void> release() override {
        if (in_.number - in_.known >= release_every_) {
            in_.known = in_.number;
            // SYNC(ring_room): pairs with submit().
            in_.head->released.store(in_.number, std::memory_order_release);
        }
        return {};
    }
    std::string executor() const override { return "none"; }

private:
    const Kernel kernel_;
    const std::size_t size_;
    const std::uint64_t release_every_;
    Lane in_;
    Lane out_;
    platform::Mapping outgoing_;
};

Result<platform::Mapping> map_all(int fd, std::size_t size) {
    CW_TRY_ASSIGN(auto mapping, platform::Mapping::map(fd, size));
    CW_TRY(mapping.populate_write(0, size));
    return mapping;
}

}  // namespace

Result<std::unique_ptr<Endpoint>> make_ring(Kernel kernel, const Plan& plan, Role,
                                            SideChannel& side) {
    const std::size_t size = Lane::bytes(plan);
    CW_TRY_ASSIGN(const auto in, platform::create_memfd("bench-ring", size, 0));
    CW_TRY(put_descriptor(side, in.get()));
    CW_TRY_ASSIGN(const auto out, get_descriptor(side));
    CW_TRY_ASSIGN(auto in_memory, map_all(in.get(), size));
    CW_TRY_ASSIGN(auto out_memory, map_all(out.get(), size));
    const std::size_t own = plan.buffers * Lane::stride_of(plan);
    CW_TRY_ASSIGN(
        const auto file,
        platform::create_memfd("bench-source", (own + kPageBytes - 1) & ~(kPageBytes - 1), 0));
    CW_TRY_ASSIGN(auto outgoing, map_all(file.get(), own));
    return std::make_unique<RingEndpoint>(kernel, plan, Lane(std::move(in_memory), plan),
                                          Lane(std::move(out_memory), plan), std::move(outgoing));
}

}  // namespace causeway::bench

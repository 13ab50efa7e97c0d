// Fuzzes the engine through the rings of both ends of a queue pair: the input is what hostile
// partitions write into their queue memory, and when the engine looks. What must hold stands in
// tests/support/engine_siege.hpp.
//
// Input: one byte of settings, then records. Each begins with a byte: bit 0 is the end, bits 2-3
// say what it is:
//   0  64 bytes follow: a descriptor for the next send slot; as it stands if bit 1 is set, else
//   with
//      the phase that publishes it
//   1  the same for a receive slot
//   2  8 bytes follow: a word anywhere in the queue memory, see poke()
//   3  the engine makes as many turns as bits 4-7 say; none: it dies, if bit 1 is set before it has
//      noted the last one, and another one goes on
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "support/engine_siege.hpp"

namespace {

using causeway::test::EngineSiege;
namespace abi = causeway::abi;

class Input {
public:
    explicit Input(std::span<const std::uint8_t> bytes) : left_(bytes) {}
    [[nodiscard]] bool empty() const { return left_.empty(); }
    std::uint8_t byte() {
        std::uint8_t value = 0;
        take(&value, 1);
        return value;
    }
    // Missing bytes are zero.
    void take(void* to, std::size_t size) {
        std::memset(to, 0, size);
        const std::size_t n = size < left_.size() ? size : left_.size();
        if (n != 0)
            std::memcpy(to, left_.data(), n);
        left_ = left_.subspan(n);
    }

private:
    std::span<const std::uint8_t> left_;
};

void publish(EngineSiege& siege, EngineSiege::Side side, bool to_sends, bool raw, Input& input) {
    abi::Descriptor descriptor;
    input.take(&descriptor, sizeof descriptor);
    auto& end = siege.end(side);
    auto& ring = to_sends ? end.sends : end.receives;
    const auto taken = to_sends ? end.endpoint.sends.consumed() : end.endpoint.receives.consumed();
    if (ring.room(taken) == 0)
        return;
    const auto at = abi::queue_pair_offsets(EngineSiege::kShape);
    const std::uint64_t slot = (to_sends ? at.send : at.receive) + ring.next_slot() * 64;
    if (raw) {
        std::memcpy(siege.memory(side).data() + slot, &descriptor, sizeof descriptor);
    } else {
        ring.publish(descriptor);
    }
}

// A word somewhere: 2 bytes say where (modulo the size), 6 bytes are the value's low ones.
void poke(EngineSiege& siege, EngineSiege::Side side, Input& input) {
    std::uint16_t where = 0;
    std::uint64_t value = 0;
    input.take(&where, sizeof where);
    input.take(&value, 6);
    auto& memory = siege.memory(side);
    std::memcpy(memory.data() + where % (memory.size() / 8) * 8, &value, sizeof value);
}

void require(const std::string& trouble) {
    if (trouble.empty())
        return;
    std::fprintf(stderr, "%s\n", trouble.c_str());
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static EngineSiege siege;
    Input input({data, size});
    const std::uint8_t settings = input.byte();
    const auto patience = static_cast<abi::Patience>(settings % 3);
    siege.context.piece = (settings & 4) != 0 ? 64 : 4096;
    siege.context.copies = causeway::test::copies_by_size((settings & 8) != 0 ? 0 : 8000,
                                                          (settings & 16) != 0 ? 0 : 8000);
    siege.reset({patience, 1000});
    while (!input.empty() && !siege.closed()) {
        const std::uint8_t op = input.byte();
        const auto side = static_cast<EngineSiege::Side>(op & 1);
        switch (op >> 2 & 3) {
            case 0:
            case 1:
                publish(siege, side, (op >> 2 & 3) == 0, (op & 2) != 0, input);
                break;
            case 2:
                poke(siege, side, input);
                break;
            default:
                if (op >> 4 == 0) {
                    siege.restart((op & 2) != 0 ? EngineSiege::Died::noting
                                                : EngineSiege::Died::noted);
                    break;
                }
                for (int i = 0; i < op >> 4; ++i)
                    siege.turn();
                (void)siege.take_some(EngineSiege::left);
                (void)siege.take_some(EngineSiege::right);
                break;
        }
    }
    for (int i = 0; i < 8; ++i)
        siege.turn();
    // Both ends are hostile here, so secrets may be given away by their owners; what lies around
    // regions and rings may not change, and the other queue pair goes on.
    require(siege.overrun());
    require(siege.witness());
    return 0;
}

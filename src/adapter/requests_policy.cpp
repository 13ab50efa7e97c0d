// Telling a partition why its descriptors are denied: a completion has no room for a rule's name.
#include <fmt/format.h>

#include <optional>

#include "adapter/requests.hpp"
#include "base/names.hpp"

namespace causeway::adapter {

Answer explain(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ExplainRequest>(call.bytes));
    const auto operation = operation_of(request.opcode);
    if (!operation) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("opcode {} is none that policy decides about: send (1), write (3), "
                                "read (4) and append (5) are",
                                request.opcode));
    }
    Fabric& fabric = call.fabric;
    CW_TRY_ASSIGN(const QueuePair* pair, fabric.queue_pair_of(*call.partition, request.queue_pair));
    const QueuePair* const other = fabric.queue_pair(pair->peer_id);
    const Partition* const peer = other == nullptr ? nullptr : fabric.find(other->session);
    if (peer == nullptr) {
        return fail(ErrorCode::wrong_state,
                    fmt::format("queue pair {} is not connected", request.queue_pair));
    }
    auto reply = call.reply<abi::ExplainReply>();
    const std::string text =
        fabric.policy().explain(party_of(*call.partition), party_of(*peer), *operation);
    CW_TRY(store_text(reply.text, text.substr(0, sizeof reply.text - 1)));
    return Reply::of(reply);
}

}  // namespace causeway::adapter

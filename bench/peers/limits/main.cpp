#include "limits.hpp"

int main(int argc, char** argv) {
    using namespace causeway::bench;
    const auto ring = [](const char* name, const char* what, Kernel kernel) {
        return Variant{
            .name = name, .what = what, .make = [kernel](const auto& plan, auto role, auto& side) {
                return make_ring(kernel, plan, role, side);
            }};
    };
    const auto copier = [](const char* name, const char* what, Kernel kernel) {
        return Variant{.name = name, .what = what, .make_sampler = [kernel](const auto& plan) {
                           return make_copier(kernel, plan);
                       }};
    };
    return run_peer(
        argc, argv,
        {.name = "bench_peer_limits",
         .what = "What the machine can do without protection or checks",
         .variants = {
             ring("ring-cached", "hand-made ring between two cores, memcpy", Kernel::cached),
             ring("ring-nontemporal", "the same, stores around the cache", Kernel::nontemporal),
             ring("ring-rep", "the same, rep movsb", Kernel::rep_movsb),
             copier("copy-cached", "memcpy on one core", Kernel::cached),
             copier("copy-nontemporal", "the same, stores around the cache", Kernel::nontemporal),
             copier("copy-rep", "the same, rep movsb", Kernel::rep_movsb)}});
}

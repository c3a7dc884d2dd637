// The interface through which CMSSW runs networks of the trigger, as hls4mlEmulatorExtras declares
// it. Used where that package is not at hand; name its folder in EMULATOR_EXTRAS otherwise.
#ifndef L1DISTILL_HLS4ML_EMULATOR_H
#define L1DISTILL_HLS4ML_EMULATOR_H

#include <any>

namespace hls4mlEmulator {

// The order of the functions is part of the binary interface.
class Model {
  public:
    virtual void prepare_input(std::any input) = 0;
    virtual void predict() = 0;
    virtual void read_result(std::any result) = 0;
    virtual ~Model() = default;
};

}  // namespace hls4mlEmulator

#endif

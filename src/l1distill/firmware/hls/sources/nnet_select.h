#ifndef NNET_SELECT_H_
#define NNET_SELECT_H_

namespace nnet {

// Result i is element CONFIG_T::index(i): wires alone.
template <class data_T, class res_T, typename CONFIG_T>
void select(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_out]) {
    #pragma HLS INLINE
    for (unsigned i = 0; i < CONFIG_T::n_out; i++) {
        #pragma HLS UNROLL
        res[i] = data[CONFIG_T::index(i)];
    }
}

} // namespace nnet

#endif

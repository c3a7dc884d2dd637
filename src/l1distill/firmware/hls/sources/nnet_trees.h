#ifndef NNET_TREES_H_
#define NNET_TREES_H_

namespace nnet {

// Result t is the leaf that the bits of tree t lead to: from node k to 2 k + 1, or to 2 k + 2 where
// the bit of the node is set.
template <class data_T, class res_T, typename CONFIG_T>
void decision_trees(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::trees]) {
    #pragma HLS INLINE
    const unsigned nodes = (1u << CONFIG_T::depth) - 1;
    for (unsigned t = 0; t < CONFIG_T::trees; t++) {
        #pragma HLS UNROLL
        bool bits[nodes];
        #pragma HLS ARRAY_PARTITION variable=bits complete
        for (unsigned k = 0; k < nodes; k++) {
            #pragma HLS UNROLL
            bits[k] = data[CONFIG_T::node(t, k)] != 0;
        }
        unsigned node = 0;
        for (unsigned level = 0; level < CONFIG_T::depth; level++) {
            #pragma HLS UNROLL
            node = 2 * node + (bits[node] ? 2 : 1);
        }
        res[t] = CONFIG_T::leaf(t, node - nodes);
    }
}

} // namespace nnet

#endif

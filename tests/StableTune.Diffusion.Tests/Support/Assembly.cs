// Tests count the process's live tensors; the whole assembly takes a second.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

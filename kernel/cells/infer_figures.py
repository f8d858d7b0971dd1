import matplotlib.pyplot as plt

probabilities = submission.set_index("eeg_id")
probabilities.columns = [name.removesuffix("_vote") for name in probabilities.columns]
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4), width_ratios=(1, 2))
probabilities.mean().plot.barh(ax=left, title="mean probability")
shown = probabilities.head(60).T
right.imshow(shown, aspect="auto", cmap="Blues", vmin=0, vmax=1)
right.set_yticks(range(len(shown)), shown.index)
right.set(title=f"first {shown.shape[1]} records", xlabel="record")
figure.tight_layout()
plt.show()

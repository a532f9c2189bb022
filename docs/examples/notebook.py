"""The cells of a notebook: the catalogue as a pandas table, and results that show themselves."""

# %%
import pandas as pd
from IPython.display import display

from router import Catalogue

catalogue = Catalogue.bundled()
display(catalogue)

# %% A table of prices, in USD per million tokens
models = pd.DataFrame(catalogue.to_records()).set_index("id")
active = models[models["lifecycle"] == "active"]
display(active[["line", "price.input", "price.output"]].sort_values("price.output").head(3))

# %% How prices moved with each year
by_year = active.groupby(active["created_at"].dt.year)
display(by_year["price.output"].agg(["count", "median"]))

# %% Why this model
display(catalogue.explain("line == opus and price.output <= 20"))
